import type uPlot from 'uplot';

/** Colours and font for a canvas. `scale`: size of the text, 1 on a desktop screen. */
export type ChartTheme = { scale: number } & Record<
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

/** Text size in pixels for which the `size` and `space` of an axis are given. */
const DESKTOP_TEXT = 14;
/** Size of a chart's text relative to that of the page. */
const CHART_TEXT = 0.8;

export function chartThemeOf(node: Element): ChartTheme {
  const style = getComputedStyle(node);
  const textSize = parseFloat(style.fontSize);
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
    scale: textSize / DESKTOP_TEXT,
    font: `${Math.round(textSize * CHART_TEXT)}px ${style.fontFamily}`,
  };
}

/** The line style of predictions; measurements have solid lines. */
export const DASH = [6, 4];

type AxisOptions = Omit<uPlot.Axis, 'size' | 'space'> & { size: number; space?: number };

/** An axis that grows with the text. `size` is its width, `space` the least between marks. */
export function axis(theme: ChartTheme, { size, space = 50, ...options }: AxisOptions): uPlot.Axis {
  const line = { stroke: theme.line, width: 1 };
  return {
    stroke: theme.soft,
    font: theme.font,
    grid: line,
    ticks: { ...line, size: 4 },
    gap: 3,
    size: size * theme.scale,
    space: space * theme.scale,
    ...options,
  };
}

/** The plot area, in canvas pixels. */
export function plotArea(chart: uPlot) {
  const { left, top, width, height } = chart.bbox;
  return { left, top, width, height, right: left + width, bottom: top + height };
}

type Line = { colour: string; dash?: number[]; width?: number };

export function horizontalLine(chart: uPlot, value: number, line: Line): void {
  const { left, right, top, bottom } = plotArea(chart);
  const y = Math.round(chart.valToPos(value, 'y', true));
  if (y < top || y > bottom) return;
  drawLine(chart.ctx, [left, y, right, y], line);
}

export function verticalLine(chart: uPlot, second: number, line: Line): void {
  const { top, bottom } = plotArea(chart);
  const x = Math.round(chart.valToPos(second, 'x', true));
  drawLine(chart.ctx, [x, top, x, bottom], line);
}

type Ends = [x0: number, y0: number, x1: number, y1: number];

export function drawLine(
  ctx: CanvasRenderingContext2D,
  [x0, y0, x1, y1]: Ends,
  { colour, dash = [], width = 1 }: Line,
): void {
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = width * devicePixelRatio;
  ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
  ctx.restore();
}
