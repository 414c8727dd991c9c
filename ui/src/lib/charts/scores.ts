import uPlot from 'uplot';
import type { PlantTime } from '../state/plant-time';
import { axis, type ChartTheme } from './chart-theme';

/** Free space at both ends of the time axis, as a share of the shown time. */
const MARGIN = 0.03;
/** The least of that space, in seconds: a single point has no range of its own. */
const MIN_MARGIN_SECONDS = 30;

export function scoreOptions(
  theme: ChartTheme,
  time: PlantTime,
): Omit<uPlot.Options, 'width' | 'height'> {
  const clocks = (ticks: number[], step: number) =>
    ticks.map((tick) => time.clock(tick * 1000, step < 60));
  const points = { show: true, size: 8 };
  return {
    padding: [8, 28 * theme.scale, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), time.zone),
    scales: { x: { range: (_, low, high) => withMargin(low, high) }, y: { range: () => [0, 1] } },
    axes: [
      axis(theme, {
        size: 24,
        space: 80,
        values: (_, ticks, __, ___, step) => clocks(ticks, step),
      }),
      axis(theme, { size: 34, splits: () => [0, 0.5, 1], values: () => ['0', '50', '100'] }),
    ],
    series: [
      {},
      { stroke: theme.plot, width: 0, points: { ...points, fill: theme.plot } },
      { stroke: theme.plot, width: 0, points: { ...points, width: 2, fill: theme.panel } },
    ],
  };
}

function withMargin(low: number, high: number): [number, number] {
  const margin = Math.max(MIN_MARGIN_SECONDS, (high - low) * MARGIN);
  return [low - margin, high + margin];
}
