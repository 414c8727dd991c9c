import type uPlot from 'uplot';

/** Colours and fonts of the theme, as a canvas needs them. */
export type Look = Record<
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

export function lookOf(node: Element): Look {
  const style = getComputedStyle(node);
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
    font: `${Math.round(parseFloat(style.fontSize) * 0.8)}px ${style.fontFamily}`,
  };
}

/** Predictions are dashed wherever they are drawn; measurements are solid. */
export const DASH = [6, 4];

export function axis(look: Look, more: Partial<uPlot.Axis> = {}): uPlot.Axis {
  const hair = { stroke: look.line, width: 1 };
  return { stroke: look.soft, font: look.font, grid: hair, ticks: { ...hair, size: 4 }, gap: 3, ...more };
}

/** Where a chart draws, in canvas pixels. */
export function frame(chart: uPlot) {
  const { left, top, width, height } = chart.bbox;
  return { left, top, width, height, right: left + width, bottom: top + height };
}

export function level(chart: uPlot, value: number, colour: string, dash: number[], width = 1): void {
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

function stroke(ctx: CanvasRenderingContext2D, at: number[], colour: string, dash: number[], width: number): void {
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
