/** Points on a time axis in seconds; where more than one cadence lies between two, a hole is drawn, not a line. */
export type Point = { at: number; values: (number | null)[] };

const HOLE = 1.5;

export function columns(points: Point[], width: number, cadence: number): (number | null)[][] {
  const drawn = points.flatMap((point, index): Point[] => {
    const before = points[index - 1];
    const hole = before && point.at - before.at > HOLE * cadence;
    return hole ? [{ at: before.at + cadence, values: Array(width).fill(null) }, point] : [point];
  });
  const times = drawn.map((point) => point.at);
  return [
    times,
    ...Array.from({ length: width }, (_, at) => drawn.map((point) => point.values[at] ?? null)),
  ];
}
