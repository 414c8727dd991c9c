/** The bodies of the API by their own names. */
import type { components } from './schema';

type Bodies = components['schemas'];

export type Assessment = Bodies['Assessment'];
export type Comparison = Bodies['Comparison'];
export type Contribution = Bodies['Contribution'];
export type Drift = Bodies['Drift'];
export type Driver = Bodies['Driver'];
export type Entry = Bodies['Entry'];
export type EntryType = Entry['type'];
export type Explanation = Bodies['StoredExplanation'];
export type FeedStatus = Bodies['FeedStatus'];
export type Forecast = Bodies['StoredForecast'];
export type Importances = Bodies['Importances'];
/** How many of a model's inputs an answer had. */
export type Inputs = Bodies['Inputs'];
export type IntervalSummary = Bodies['IntervalSummary'];
export type LimitAlarm = Bodies['LimitAlarm'];
export type Events = Bodies['Events'];
export type LimitEvent = Bodies['LimitEvent'];
export type LimitGap = Bodies['LimitGap'];
export type LimitLine = Bodies['LimitLine'];
export type Live = Bodies['Live'];
export type ModelStatus = Bodies['ModelStatus'];
export type Overview = Bodies['Overview'];
export type Person = Bodies['Person'];
export type PlantAssessment = Bodies['PlantAssessment'];
export type PlantModel = Bodies['PlantModel'];
export type PlantState = Bodies['PlantState'];
export type PlantTag = Bodies['PlantTag'];
export type PlantLimit = Bodies['PlantLimit'];
export type PlantView = Bodies['PlantView'];
export type Prediction = Bodies['StoredPrediction'];
export type Role = Person['role'];
export type RuleState = Bodies['RuleState'];
export type Said = Bodies['Said'];
export type Scenario = Bodies['Scenario'];
export type Series = Bodies['Series'];
export type SignIn = Bodies['SignIn'];
export type Span = Bodies['Span'];
export type TagQuality = Bodies['TagQuality'];
export type TaskState = Bodies['TaskState'];
export type Trends = Bodies['Trends'];
export type WarningState = Bodies['WarningState'];

/** A row of named numbers as it travels; the generated type cannot say that only some names are numbers. */
export type Row = { timestamp?: string | null; segment?: number | null } & Record<
  string,
  number | string | null | undefined
>;
export type Observation = Bodies['Observation'];

/** A row's number; missing is null. */
export function numberAt(row: object | null | undefined, key: string): number | null {
  const value = (row as Row | null | undefined)?.[key];
  return typeof value === 'number' ? value : null;
}
