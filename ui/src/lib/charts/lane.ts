import uPlot from 'uplot';
import type { LimitLine, Series, Span } from '../api/types';
import type { PlantTime } from '../state/plant-time';
import { isShare, pointOf } from '../state/format';
import { axis, DASH, frame, level, type Look } from './look';

export type Lane = {
  series: Series;
  limits: LimitLine[];
  spans: Span[];
  time: PlantTime;
  /** Milliseconds. */
  shown: { from: number; to: number };
  last: boolean;
  zoom: (from: number, to: number) => void;
  point: (index: number | null) => void;
};

/** Room for numbers at the left, the same in all lanes so that their times stand under one another. */
const NUMBERS = 56;

/** The time axis of a lane with another below it: its grid alone. */
const UNDER = {
  size: 0,
  space: 90,
  values: (_: uPlot, ticks: number[]) => ticks.map(() => ''),
  ticks: { show: false },
};

/** One series over time: its mean as a line within its lows and highs, limits across, events behind. */
export function laneOptions(look: Look, lane: () => Lane): Omit<uPlot.Options, 'width' | 'height'> {
  const { time, last, series } = lane();
  return {
    padding: [8, 18 * look.scale, last ? 0 : 8, 0],
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
      y: { range: (_, low, high) => extent(lane(), low, high) },
    },
    axes: [
      axis(look, last ? { size: 40, space: 90, values: (_, ticks) => stamps(ticks, time) } : UNDER),
      axis(look, {
        size: NUMBERS,
        space: 26,
        values: (_, ticks) => ticks.map((tick) => pointOf(tick, series)),
      }),
    ],
    series: [{}, edge(), edge(), line(look, series)],
    bands: [{ series: [1, 2], fill: look.band }],
    hooks: {
      drawClear: [(chart) => lane().spans.forEach((span) => shade(chart, look, span))],
      draw: [(chart) => lane().limits.forEach((limit) => limitLine(chart, look, limit))],
      setSelect: [(chart) => select(chart, lane())],
      setCursor: [(chart) => lane().point(chart.cursor.idx ?? null)],
    },
  };
}

function line(look: Look, series: Series): uPlot.Series {
  const dash =
    series.kind === 'predicted'
      ? { dash: DASH }
      : series.kind === 'measured'
        ? {}
        : { dash: [2, 2] };
  return { stroke: look.plot, width: 1.75, points: { show: false }, ...dash };
}

function edge(): uPlot.Series {
  return { stroke: 'transparent', width: 0, points: { show: false } };
}

/** What the data needs and a little more; a limit near it is in view too. */
function extent(
  { series, limits }: Lane,
  low: number | null,
  high: number | null,
): [number, number] {
  if (low === null || high === null) return [series.range[0], series.range[1]];
  if (isShare(series)) return [0, 1];
  const span = (series.range[1] - series.range[0]) / 4;
  const near = limits
    .map((one) => one.value)
    .filter((value) => value > low - span && value < high + span);
  const [from, to] = [Math.min(low, ...near), Math.max(high, ...near)];
  const margin = Math.max((to - from) * 0.08, (series.range[1] - series.range[0]) * 0.005);
  return [from - margin, to + margin];
}

function stamps(ticks: number[], time: PlantTime): string[] {
  let day = '';
  return ticks.map((tick) => {
    const date = time.date(tick * 1000).slice(5);
    const text = date === day ? time.clock(tick * 1000) : `${time.clock(tick * 1000)}\n${date}`;
    day = date;
    return text;
  });
}

function shade(chart: uPlot, look: Look, span: Span): void {
  const box = frame(chart);
  const left = Math.max(box.left, chart.valToPos(Date.parse(span.begin) / 1000, 'x', true));
  const right = Math.min(box.right, chart.valToPos(Date.parse(span.end) / 1000, 'x', true));
  if (right <= left) return;
  const alarm = span.kind === 'alarm';
  const bar = (alarm ? 4 : 2) * devicePixelRatio;
  chart.ctx.fillStyle = alarm ? look.alarmTint : look.warningTint;
  chart.ctx.fillRect(left, box.top, right - left, box.height);
  chart.ctx.fillStyle = alarm ? look.alarm : look.edge;
  chart.ctx.fillRect(left, alarm ? box.top : box.bottom - bar, right - left, bar);
}

function limitLine(chart: uPlot, look: Look, limit: LimitLine): void {
  level(chart, limit.value, look.ink, [10, 3, 2, 3]);
  const { left, top, bottom } = frame(chart);
  const y = chart.valToPos(limit.value, 'y', true);
  if (y < top || y > bottom) return;
  const { ctx } = chart;
  ctx.save();
  ctx.fillStyle = look.ink;
  ctx.font = look.font.replace(/^[\d.]+/, (size) => String(Number(size) * devicePixelRatio));
  ctx.textAlign = 'left';
  ctx.textBaseline = y - top < 20 * devicePixelRatio ? 'top' : 'bottom';
  ctx.fillText(
    limit.title.replaceAll('_', ' '),
    left + 6 * devicePixelRatio,
    y + (ctx.textBaseline === 'top' ? 2 : -2),
  );
  ctx.restore();
}

function select(chart: uPlot, lane: Lane): void {
  const { left, width } = chart.select;
  if (width < 4) return;
  lane.zoom(chart.posToVal(left, 'x') * 1000, chart.posToVal(left + width, 'x') * 1000);
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
}
