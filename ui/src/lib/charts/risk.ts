import uPlot from 'uplot';
import type { PlantModel } from '../api/types';
import { numberText } from '../state/format';
import type { PlantTime } from '../state/plant-time';
import {
  axis,
  DASH,
  drawLine,
  horizontalLine,
  plotArea,
  verticalLine,
  type ChartTheme,
} from './chart-theme';

type RiskChart = {
  time: PlantTime;
  kind: PlantModel['kind'];
  /** Seconds. */
  from: number;
  now: number;
  to: number;
  /** Seconds that the score looks ahead; 0: the present. */
  horizon: number;
  threshold: number | null;
  score: number | null;
};

type Options = Omit<uPlot.Options, 'width' | 'height'>;

const THRESHOLD_DASH = [2, 3];
/** Share of the range that stays free above the values. */
const HEADROOM = 0.1;

/**
 * The past of a score, and the time ahead that its newest value is about. The line is dashed
 * because it is the output of a model.
 */
export function riskOptions(theme: ChartTheme, chart: () => RiskChart): Options {
  const { kind, time } = chart();
  const axisMarks = (ticks: number[]) => ticks.map((tick) => time.axisMark(tick * 1000));
  return {
    padding: [8, 18 * theme.scale, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), time.zone),
    scales: {
      x: { range: () => [chart().from, chart().to] },
      y: { range: (_, lowest, highest) => scoreRange(chart(), lowest, highest) },
    },
    axes: [
      axis(theme, { size: 20, space: 60, values: (_, ticks) => axisMarks(ticks) }),
      axis(theme, kind === 'probability' ? PERCENT_AXIS : NUMBER_AXIS),
    ],
    series: [{}, { stroke: theme.plot, width: 2, dash: DASH, points: { show: false } }],
    hooks: {
      drawClear: [(plot) => drawHorizon(plot, theme, chart())],
      draw: [(plot) => drawMarks(plot, theme, chart())],
    },
  };
}

const PERCENT_AXIS = { size: 30, splits: () => [0, 0.5, 1], values: () => ['0', '50', '100'] };
const NUMBER_AXIS = { size: 30, values: (_: uPlot, ticks: number[]) => ticks.map(numberText) };

/** From 0 to 1 for probabilities; for other scores, a range with 0, all values and the threshold. */
function scoreRange(
  { kind, threshold }: RiskChart,
  lowest: number | null,
  highest: number | null,
): [number, number] {
  if (kind === 'probability') return [0, 1];
  const bottom = Math.min(0, lowest ?? 0, threshold ?? 0);
  const top = Math.max(0, highest ?? 0, threshold ?? 0);
  return [bottom, top > bottom ? top + (top - bottom) * HEADROOM : bottom + 1];
}

/** Fill the time that the forecast is about, up to its probability. */
function drawHorizon(plot: uPlot, theme: ChartTheme, { now, horizon, score }: RiskChart): void {
  if (!horizon || score === null) return;
  const left = plot.valToPos(now, 'x', true);
  const right = plot.valToPos(now + horizon, 'x', true);
  const top = plot.valToPos(score, 'y', true);
  plot.ctx.fillStyle = theme.band;
  plot.ctx.fillRect(left, top, right - left, plotArea(plot).bottom - top);
}

/** Draw the threshold, the present, and the forecast. */
function drawMarks(plot: uPlot, theme: ChartTheme, chart: RiskChart): void {
  const { now, threshold, horizon, score } = chart;
  if (threshold !== null)
    horizontalLine(plot, threshold, { colour: theme.ink, dash: THRESHOLD_DASH });
  verticalLine(plot, now, { colour: theme.soft });
  if (!horizon || score === null) return;
  const [left, right] = [now, now + horizon].map((second) => plot.valToPos(second, 'x', true));
  const y = plot.valToPos(score, 'y', true);
  drawLine(plot.ctx, [left ?? 0, y, right ?? 0, y], { colour: theme.plot, dash: DASH, width: 2 });
}
