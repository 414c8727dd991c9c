import uPlot from 'uplot';
import type { PlantTime } from '../state/plant-time';
import { axis, type Look } from './look';

/** Room at both ends of the time axis, as a share of what is shown; a lone point gets half a minute. */
const ROOM = 0.03;

export function scoreOptions(look: Look, time: PlantTime): Omit<uPlot.Options, 'width' | 'height'> {
  return {
    padding: [8, 28 * look.scale, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), time.zone),
    scales: { x: { range: (_, low, high) => widened(low, high) }, y: { range: () => [0, 1] } },
    axes: [
      axis(look, {
        size: 24,
        space: 80,
        values: (_, ticks, __, ___, step) =>
          ticks.map((tick) => time.clock(tick * 1000, step < 60)),
      }),
      axis(look, { size: 34, splits: () => [0, 0.5, 1], values: () => ['0', '50', '100'] }),
    ],
    series: [
      {},
      { stroke: look.plot, width: 0, points: { show: true, size: 8, fill: look.plot } },
      { stroke: look.plot, width: 0, points: { show: true, size: 8, width: 2, fill: look.panel } },
    ],
  };
}

function widened(low: number, high: number): [number, number] {
  const room = Math.max(30, (high - low) * ROOM);
  return [low - room, high + room];
}
