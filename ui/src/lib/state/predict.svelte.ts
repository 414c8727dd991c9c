import { answer } from '../api/problem';
import type { Api } from '../api/client';
import type { Explanation, PlantView, Prediction } from '../api/types';
import { Asked } from './asked.svelte';
import { typedNumber } from './numbers';

type Field = PlantView['predict_fields'][number];

/** The values of the predict form, and the model's answer to them. A blank field is missing; an empty form is not sent. */
export class PredictForm {
  typed = $state<Record<string, string>>({});
  readonly prediction = new Asked<Prediction>();
  readonly explanation = new Asked<Explanation>();
  readonly wrong = $derived.by(() =>
    this.fields.filter((one) => this.problemOf(one)).map((one) => one.feature),
  );

  readonly empty = $derived.by(() => this.fields.every((one) => !this.typed[one.feature]?.trim()));
  /** The first thing that keeps the form from being sent. */
  readonly problem = $derived.by(() => {
    if (this.empty) return 'Enter at least one value, or choose a preset.';
    const [wrong] = this.wrong;
    const field = this.fields.find((one) => one.feature === wrong);
    return field ? `${field.title}: not a number.` : null;
  });

  constructor(
    private readonly api: Api,
    readonly fields: Field[],
  ) {}

  fill(features: Record<string, number | null>): void {
    const known = this.fields.map((field) => [field.feature, written(features[field.feature])]);
    this.typed = Object.fromEntries(known);
  }

  clear(): void {
    this.typed = {};
    this.prediction.clear();
    this.explanation.clear();
  }

  problemOf(field: Field): string | null {
    return typedNumber(this.typed[field.feature] ?? '') === undefined ? 'Not a number' : null;
  }

  /** Worth a word, but no reason not to ask. */
  remarkOn(field: Field): string | null {
    const value = typedNumber(this.typed[field.feature] ?? '');
    if (value === null || value === undefined) return null;
    return value < field.low || value > field.high ? `Outside ${field.low} … ${field.high}` : null;
  }

  async ask(): Promise<void> {
    if (this.problem) return;
    const values = this.fields.map((field) => [
      field.feature,
      typedNumber(this.typed[field.feature] ?? '') ?? null,
    ]);
    const body = { features: Object.fromEntries(values) as Record<string, number | null> };
    this.explanation.clear();
    const said = await this.prediction.ask(() => answer(this.api.POST('/infer/predict', { body })));
    if (said) await this.explanation.ask(() => answer(this.api.POST('/infer/explain', { body })));
  }
}

function written(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : String(value);
}
