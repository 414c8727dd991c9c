import type { Api } from '../api/client';
import { bodyOf } from '../api/problem';
import type { Explanation, Prediction, PredictField } from '../api/types';
import { parseNumber } from './parse-number';
import { Resource } from './resource.svelte';

/**
 * The values of the predict form and the model's result. A blank field is a missing input; an empty
 * form cannot be submitted.
 */
export class PredictForm {
  /** The text of each field, by its feature. */
  texts = $state<Record<string, string>>({});
  readonly prediction = new Resource<Prediction>();
  readonly explanation = new Resource<Explanation>();

  readonly filled = $derived.by(
    () => this.fields.filter((field) => this.texts[field.feature]?.trim()).length,
  );
  /** Why the form cannot be submitted; null where it can. */
  readonly problem = $derived.by(() => {
    if (!this.filled) return 'Enter at least one value, or choose a preset.';
    const invalid = this.fields.find((field) => this.problemOf(field));
    return invalid ? `${invalid.title}: not a number.` : null;
  });

  constructor(
    private readonly api: Api,
    readonly fields: PredictField[],
  ) {}

  fill(features: Record<string, number | null>): void {
    const texts = this.fields.map(({ feature }) => [feature, String(features[feature] ?? '')]);
    this.texts = Object.fromEntries(texts);
  }

  clear(): void {
    this.texts = {};
    this.prediction.clear();
    this.explanation.clear();
  }

  problemOf(field: PredictField): string | null {
    return this.#numberOf(field) === undefined ? 'Not a number' : null;
  }

  /** A note on a value that can be submitted, but is unusual. */
  noteOn(field: PredictField): string | null {
    const value = this.#numberOf(field);
    if (value === null || value === undefined) return null;
    const isOutside = value < field.low || value > field.high;
    return isOutside ? `Outside ${field.low} … ${field.high}` : null;
  }

  async submit(): Promise<void> {
    if (this.problem) return;
    const values = this.fields.map((field) => [field.feature, this.#numberOf(field) ?? null]);
    const body = { features: Object.fromEntries(values) as Record<string, number | null> };
    this.explanation.clear();
    const predict = () => bodyOf(this.api.POST('/infer/predict', { body }));
    const explain = () => bodyOf(this.api.POST('/infer/explain', { body }));
    if (await this.prediction.load(predict)) await this.explanation.load(explain);
  }

  #numberOf({ feature }: PredictField): number | null | undefined {
    return parseNumber(this.texts[feature] ?? '');
  }
}
