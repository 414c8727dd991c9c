import type uPlot from 'uplot';

/** Colours and fonts of the theme, as a canvas needs them. `scale`: how much larger than on a desk the text is. */
export type Look = { scale: number } & Record<
  | 'ink'
  | 'panel'
  | 'soft'
  | 'line'
  | 'plot'
  | 'band'
  | 'alarm'
  | 'alarmTint'
  | 'warning'
  | 'warningTint'
  | 'edge'
  | 'font',
  string
>;

/** Pixels of the text that an axis' `size` and `space` are told for. */
const DESK_TEXT = 14;

export function lookOf(node: Element): Look {
  const style = getComputedStyle(node);
  const text = parseFloat(style.fontSize);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: token('ink'),
    panel: token('panel'),
    soft: token('ink-soft'),
    line: token('line'),
    plot: token('ink-plot'),
    band: token('band'),
    alarm: token('alarm'),
    alarmTint: token('alarm-tint'),
    warning: token('warning'),
    warningTint: token('warning-tint'),
    edge: token('warning-edge'),
    scale: text / DESK_TEXT,
    font: `${Math.round(text * 0.8)}px ${style.fontFamily}`,
  };
}

/** Predictions are dashed wherever they are drawn; measurements are solid. */
export const DASH = [6, 4];

type Ruler = Omit<uPlot.Axis, 'size' | 'space'> & { size: number; space?: number };

/** An axis of the theme, that grows with the text: `size` is its room, `space` the least between two marks. */
export function axis(look: Look, { size, space = 50, ...more }: Ruler): uPlot.Axis {
  const hair = { stroke: look.line, width: 1 };
  const room = { size: size * look.scale, space: space * look.scale };
  return {
    stroke: look.soft,
    font: look.font,
    grid: hair,
    ticks: { ...hair, size: 4 },
    gap: 3,
    ...room,
    ...more,
  };
}

/** Where a chart draws, in canvas pixels. */
export function frame(chart: uPlot) {
  const { left, top, width, height } = chart.bbox;
  return { left, top, width, height, right: left + width, bottom: top + height };
}

export function level(
  chart: uPlot,
  value: number,
  colour: string,
  dash: number[],
  width = 1,
): void {
  const { left, right, top, bottom } = frame(chart);
  const y = Math.round(chart.valToPos(value, 'y', true));
  if (y < top || y > bottom) return;
  stroke(chart.ctx, [left, y, right, y], colour, dash, width);
}

export function upright(chart: uPlot, second: number, colour: string): void {
  const { top, bottom } = frame(chart);
  const x = Math.round(chart.valToPos(second, 'x', true));
  stroke(chart.ctx, [x, top, x, bottom], colour, [], 1);
}

function stroke(
  ctx: CanvasRenderingContext2D,
  at: number[],
  colour: string,
  dash: number[],
  width: number,
): void {
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = at;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = width * devicePixelRatio;
  ctx.setLineDash(dash.map((one) => one * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
  ctx.restore();
}
