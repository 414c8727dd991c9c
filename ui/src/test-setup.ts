import '@testing-library/jest-dom/vitest';

// Parts of a browser that jsdom does not have. Charts draw on a canvas that records nothing.

class NoResizes implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
globalThis.ResizeObserver = NoResizes;

class EmptyPath {
  moveTo(): void {}
  lineTo(): void {}
  rect(): void {}
  arc(): void {}
}
globalThis.Path2D = EmptyPath as unknown as typeof Path2D;

globalThis.matchMedia = (media: string) =>
  Object.assign(new EventTarget(), {
    media,
    matches: false,
    onchange: null,
    addListener: () => undefined,
    removeListener: () => undefined,
  });

const context = new Proxy({} as Record<PropertyKey, unknown>, {
  get: (properties, name) => properties[name] ?? (() => ({ width: 0 })),
});
HTMLCanvasElement.prototype.getContext = (() => context) as never;
