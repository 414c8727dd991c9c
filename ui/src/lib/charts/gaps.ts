/** Charts leave a gap where intervals are missing. */

/** A point on a time axis in seconds. */
export type Point = { at: number; values: (number | null)[] };

/** Points further apart than this many intervals have a gap between them. */
export const GAP_INTERVALS = 1.5;

/** The columns of a chart: times, then each series. An empty point interrupts a line at a gap. */
export function columns(points: Point[], series: number, cadence: number): (number | null)[][] {
  const empty = Array<null>(series).fill(null);
  const drawn = points.flatMap((point, index): Point[] => {
    const previous = points[index - 1];
    const hasGap = previous && point.at - previous.at > GAP_INTERVALS * cadence;
    return hasGap ? [{ at: previous.at + cadence, values: empty }, point] : [point];
  });
  const times = drawn.map((point) => point.at);
  const values = empty.map((_, at) => drawn.map((point) => point.values[at] ?? null));
  return [times, ...values];
}
