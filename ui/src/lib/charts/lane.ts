import uPlot from 'uplot';
import type { LimitLine, Series, Span } from '../api/types';
import { isShare, pointText } from '../state/format';
import type { PlantTime } from '../state/plant-time';
import { axis, DASH, horizontalLine, plotArea, type ChartTheme } from './chart-theme';

export type Lane = {
  series: Series;
  limits: LimitLine[];
  spans: Span[];
  time: PlantTime;
  /** Milliseconds. */
  shown: { from: number; to: number };
  /** Whether this is the lowest lane, which has the time axis. */
  last: boolean;
  zoom: (from: number, to: number) => void;
  point: (index: number | null) => void;
};

type Options = Omit<uPlot.Options, 'width' | 'height'>;

/** Width of the value axis. It is the same in all lanes, so that their times are aligned. */
const VALUE_AXIS_WIDTH = 56;
/** Dash of derived series, such as setpoints. */
const DERIVED_DASH = [2, 2];
const LIMIT_DASH = [10, 3, 2, 3];
/** Free space above and below the values: a share of what is shown, at least of the range. */
const MARGIN = 0.08;
const MIN_MARGIN = 0.005;
/** A limit is included in the scale if it is within this share of the range. */
const NEAR_LIMIT = 0.25;
/** A shorter selection, in pixels, is a click. */
const MIN_SELECTION = 4;

/** The time axis of a lane above another: only its grid lines. */
const GRID_ONLY = {
  size: 0,
  space: 90,
  values: (_: uPlot, ticks: number[]) => ticks.map(() => ''),
  ticks: { show: false },
};

/** One series over time: its mean within its lows and highs, with its limits and the events. */
export function laneOptions(theme: ChartTheme, lane: () => Lane): Options {
  const { time, last, series } = lane();
  const timeAxis = {
    size: 40,
    space: 90,
    values: (_: uPlot, ticks: number[]) => timeLabels(ticks, time),
  };
  const valueAxis = {
    size: VALUE_AXIS_WIDTH,
    space: 26,
    values: (_: uPlot, ticks: number[]) => ticks.map((tick) => pointText(tick, series)),
  };
  return {
    padding: [8, 18 * theme.scale, last ? 0 : 8, 0],
    legend: { show: false },
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), time.zone),
    cursor: {
      sync: { key: 'trends' },
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      y: false,
    },
    scales: {
      x: { range: () => [lane().shown.from / 1000, lane().shown.to / 1000] },
      y: { range: (_, low, high) => valueRange(lane(), low, high) },
    },
    axes: [axis(theme, last ? timeAxis : GRID_ONLY), axis(theme, valueAxis)],
    series: [{}, INVISIBLE, INVISIBLE, lineStyle(theme, series)],
    bands: [{ series: [1, 2], fill: theme.band }],
    hooks: {
      drawClear: [(chart) => lane().spans.forEach((span) => drawSpan(chart, theme, span))],
      draw: [(chart) => lane().limits.forEach((limit) => drawLimit(chart, theme, limit))],
      setSelect: [(chart) => zoomToSelection(chart, lane())],
      setCursor: [(chart) => lane().point(chart.cursor.idx ?? null)],
    },
  };
}

/** The lows and highs: only the band between them is drawn. */
const INVISIBLE: uPlot.Series = { stroke: 'transparent', width: 0, points: { show: false } };

function lineStyle(theme: ChartTheme, { kind }: Series): uPlot.Series {
  const line = { stroke: theme.plot, width: 1.75, points: { show: false } };
  if (kind === 'measured') return line;
  return { ...line, dash: kind === 'predicted' ? DASH : DERIVED_DASH };
}

/** The range of the values with a margin, extended to limits that are near. */
function valueRange(
  { series, limits }: Lane,
  low: number | null,
  high: number | null,
): [number, number] {
  const [rangeLow, rangeHigh] = series.range;
  if (low === null || high === null) return [rangeLow, rangeHigh];
  if (isShare(series)) return [0, 1];
  const reach = (rangeHigh - rangeLow) * NEAR_LIMIT;
  const nearLimits = limits
    .map((limit) => limit.value)
    .filter((value) => value > low - reach && value < high + reach);
  const bottom = Math.min(low, ...nearLimits);
  const top = Math.max(high, ...nearLimits);
  const margin = Math.max((top - bottom) * MARGIN, (rangeHigh - rangeLow) * MIN_MARGIN);
  return [bottom - margin, top + margin];
}

/** The clock at each tick, with the date below it where the date changes. */
function timeLabels(ticks: number[], time: PlantTime): string[] {
  const dates = ticks.map((tick) => time.date(tick * 1000).slice(5));
  return ticks.map((tick, at) => {
    const clock = time.clock(tick * 1000);
    return dates[at] === dates[at - 1] ? clock : `${clock}\n${dates[at]}`;
  });
}

/** Shade the time of an alarm or a warning, with a bar at the top or at the bottom. */
function drawSpan(chart: uPlot, theme: ChartTheme, span: Span): void {
  const area = plotArea(chart);
  const position = (time: string) => chart.valToPos(Date.parse(time) / 1000, 'x', true);
  const left = Math.max(area.left, position(span.begin));
  const right = Math.min(area.right, position(span.end));
  if (right <= left) return;
  const isAlarm = span.kind === 'alarm';
  const barHeight = (isAlarm ? 4 : 2) * devicePixelRatio;
  chart.ctx.fillStyle = isAlarm ? theme.alarmTint : theme.warningTint;
  chart.ctx.fillRect(left, area.top, right - left, area.height);
  chart.ctx.fillStyle = isAlarm ? theme.alarm : theme.edge;
  chart.ctx.fillRect(left, isAlarm ? area.top : area.bottom - barHeight, right - left, barHeight);
}

/** Space in pixels that the title of a limit needs above its line. */
const TITLE_HEIGHT = 20;

function drawLimit(chart: uPlot, theme: ChartTheme, limit: LimitLine): void {
  horizontalLine(chart, limit.value, { colour: theme.ink, dash: LIMIT_DASH });
  const { left, top, bottom } = plotArea(chart);
  const y = chart.valToPos(limit.value, 'y', true);
  if (y < top || y > bottom) return;
  const isBelowLine = y - top < TITLE_HEIGHT * devicePixelRatio;
  const { ctx } = chart;
  ctx.save();
  ctx.fillStyle = theme.ink;
  ctx.font = theme.font.replace(/^[\d.]+/, (size) => String(Number(size) * devicePixelRatio));
  ctx.textAlign = 'left';
  ctx.textBaseline = isBelowLine ? 'top' : 'bottom';
  const title = limit.title.replaceAll('_', ' ');
  ctx.fillText(title, left + 6 * devicePixelRatio, y + (isBelowLine ? 2 : -2));
  ctx.restore();
}

function zoomToSelection(chart: uPlot, lane: Lane): void {
  const { left, width } = chart.select;
  if (width < MIN_SELECTION) return;
  const [from, to] = [left, left + width].map((pixel) => chart.posToVal(pixel, 'x') * 1000);
  lane.zoom(from ?? 0, to ?? 0);
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
}
