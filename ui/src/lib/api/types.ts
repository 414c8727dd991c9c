/** Names for the bodies of the API. The rest of the screen uses these, not the generated schema. */
import type { components } from './schema';

type Bodies = components['schemas'];

export type Assessment = Bodies['Assessment'];
export type Contribution = Bodies['Contribution'];
export type Drift = Bodies['Drift'];
export type Driver = Bodies['Driver'];
export type Entry = Bodies['Entry'];
export type EntryType = Entry['type'];
export type Events = Bodies['Events'];
export type Explanation = Bodies['StoredExplanation'];
export type FeedStatus = Bodies['FeedStatus'];
export type Forecast = Bodies['StoredForecast'];
export type Importances = Bodies['Importances'];
/** How many of a model's inputs a result is based on. */
export type Inputs = Bodies['Inputs'];
export type IntervalSummary = Bodies['IntervalSummary'];
export type LimitAlarm = Bodies['LimitAlarm'];
export type LimitLine = Bodies['LimitLine'];
export type Live = Bodies['Live'];
/** How a champion compares with the challenger that runs in shadow. */
export type ModelComparison = Bodies['Contest'];
export type ModelComparisons = Bodies['Comparison'];
/** The output of one model for one interval. */
export type ModelOutput = Bodies['ModelOutput'];
/** The model version that produced an output. */
export type ModelRef = Bodies['ModelRef'];
export type ModelStatus = Bodies['ModelStatus'];
export type Overview = Bodies['Overview'];
export type Person = Bodies['Person'];
export type PlantAssessment = Bodies['PlantAssessment'];
export type PlantModel = Bodies['PlantModel'];
export type PlantState = Bodies['PlantState'];
export type PlantTag = Bodies['PlantTag'];
export type PlantView = Bodies['PlantView'];
export type PredictField = Bodies['PredictField'];
export type Prediction = Bodies['StoredPrediction'];
export type RuleState = Bodies['RuleState'];
export type Role = Person['role'];
export type Scenario = Bodies['Scenario'];
export type Series = Bodies['Series'];
export type SignIn = Bodies['SignIn'];
export type Span = Bodies['Span'];
export type TagQuality = Bodies['TagQuality'];
export type Trends = Bodies['Trends'];
export type WarningState = Bodies['WarningState'];

/** An interval: a time and named values. The generated type omits which of them are numbers. */
export type Row = { timestamp?: string | null; segment?: number | null } & Record<
  string,
  number | string | null | undefined
>;
export type Observation = Bodies['Observation'];

/** A value of a row; null where it is missing. */
export function numberAt(row: object | null | undefined, key: string): number | null {
  const value = (row as Row | null | undefined)?.[key];
  return typeof value === 'number' ? value : null;
}
