import uPlot from 'uplot';
import type { PlantTime } from '../state/plant-time';
import { axis, DASH, frame, level, type Look, upright } from './look';

type Told = {
  time: PlantTime;
  /** Seconds. */
  from: number;
  now: number;
  to: number;
  /** Seconds that the score looks ahead; 0: it is about now. */
  horizon: number;
  threshold: number | null;
  score: number | null;
};

/** A score's past, dashed because it is a model's, and the time ahead that its last value is about. */
export function riskOptions(look: Look, told: () => Told): Omit<uPlot.Options, 'width' | 'height'> {
  const zone = told().time.zone;
  return {
    padding: [8, 18 * look.scale, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), zone),
    scales: { x: { range: () => [told().from, told().to] }, y: { range: () => [0, 1] } },
    axes: [
      axis(look, {
        size: 20,
        space: 60,
        values: (_, ticks) => ticks.map((tick) => told().time.mark(tick * 1000)),
      }),
      axis(look, { size: 30, splits: () => [0, 0.5, 1], values: () => ['0', '50', '100'] }),
    ],
    series: [{}, { stroke: look.plot, width: 2, dash: DASH, points: { show: false } }],
    hooks: {
      drawClear: [(chart) => ahead(chart, look, told())],
      draw: [(chart) => marks(chart, look, told())],
    },
  };
}

/** The time the forecast is about, filled up to its probability. */
function ahead(chart: uPlot, look: Look, { now, horizon, score }: Told): void {
  if (!horizon || score === null) return;
  const left = chart.valToPos(now, 'x', true);
  const right = chart.valToPos(now + horizon, 'x', true);
  const top = chart.valToPos(score, 'y', true);
  chart.ctx.fillStyle = look.band;
  chart.ctx.fillRect(left, top, right - left, frame(chart).bottom - top);
}

function marks(chart: uPlot, look: Look, { now, threshold, horizon, score }: Told): void {
  if (threshold !== null) level(chart, threshold, look.ink, [2, 3]);
  upright(chart, now, look.soft);
  if (!horizon || score === null) return;
  const { ctx } = chart;
  const y = chart.valToPos(score, 'y', true);
  ctx.save();
  ctx.strokeStyle = look.plot;
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.setLineDash(DASH.map((one) => one * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(chart.valToPos(now, 'x', true), y);
  ctx.lineTo(chart.valToPos(now + horizon, 'x', true), y);
  ctx.stroke();
  ctx.restore();
}
