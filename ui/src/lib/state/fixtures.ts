import type {
  Assessment,
  FeedStatus,
  LimitAlarm,
  PlantAssessment,
  PlantState,
  PlantTag,
  PlantView,
} from '../api/types';

/** A small plant of no particular kind, for the tests. */
export const TAGS: PlantTag[] = [
  {
    key: 'p1',
    tag: 'P1',
    title: 'Pressure',
    unit: 'bar',
    process_unit: 'column',
    range: [0, 10],
    normal: [2, 6],
    limits: [{ key: 'p1', value: 8, title: 'bursting' }],
    stale_after_seconds: 600,
    setpoint: null,
    output: null,
  },
  {
    key: 'l1',
    tag: 'L1',
    title: 'Level',
    unit: '%',
    process_unit: 'column',
    range: [0, 100],
    normal: [40, 60],
    limits: [],
    stale_after_seconds: 3600,
    setpoint: 'l1_sp',
    output: null,
  },
];

export const PLANT: PlantView = {
  name: 'small',
  title: 'Small plant',
  timezone: 'Europe/Berlin',
  simulated: true,
  cadence_seconds: 3600,
  window_rows: 3,
  longest_useful_lead_seconds: 21600,
  horizons_hours: [1, 3],
  units: [{ key: 'column', title: 'Column' }],
  tags: TAGS,
  limits: [],
  models: [
    {
      name: 'risk',
      column: 'risk_score',
      label: 'Risk now',
      title: 'Risk',
      kind: 'probability',
      horizon_hours: null,
      unit: null,
    },
    {
      name: 'f3',
      column: 'forecast_3h',
      label: 'Alarm within 3 h',
      title: 'Within 3 h',
      kind: 'probability',
      horizon_hours: 3,
      unit: null,
    },
    {
      name: 'f1',
      column: 'forecast_1h',
      label: 'Alarm within 1 h',
      title: 'Within 1 h',
      kind: 'probability',
      horizon_hours: 1,
      unit: null,
    },
  ],
  predict_fields: [{ feature: 'p1_max', title: 'Highest pressure', unit: 'bar', low: 0, high: 10 }],
  predict_presets: [],
  forecast_presets: [],
};

const SPOKE = { name: 'f3', version: '2', unpromoted: false };

/** What was told of the interval that ends at `known`. */
export function told(
  known: string,
  more: Partial<Assessment> = {},
  standing: number[] = [],
): PlantAssessment {
  const timestamp = new Date(Date.parse(known) - 3_600_000).toISOString();
  return {
    interval: { timestamp, p1: 5, l1: 50, l1_sp: 49 } as unknown as PlantAssessment['interval'],
    assessment: {
      timestamp,
      known_at: known,
      n_intervals: 61,
      in_alarm_now: false,
      shadows: [],
      models: [
        {
          name: 'f3',
          column: 'forecast_3h',
          title: 'Within 3 h',
          kind: 'probability',
          horizon_hours: 3,
          score: 0.72,
          threshold: 0.4,
          alarm: 1,
          missing: [],
          not_promoted: false,
          model: SPOKE,
        },
      ],
      drivers: [
        {
          feature: 'p1_max',
          key: 'p1',
          value: 7,
          contribution: 1.2,
          column: 'forecast_3h',
          text: 'Pressure 7 bar',
        },
      ],
      rules: [
        {
          name: 'bursting',
          column: 'P1_max',
          value: 7,
          above: 8,
          unit: 'bar',
          met: false,
          low: false,
        },
      ],
      quality: [],
      ...more,
    },
    warnings: [1, 3].map((hours) => ({
      column: `forecast_${hours}h`,
      horizon_hours: hours,
      standing: standing.includes(hours),
      since: standing.includes(hours) ? known : null,
    })),
  };
}

export const STATUS: FeedStatus = {
  feed: 'live',
  feed_reason: null,
  inference: 'ready',
  inference_reason: null,
  plant_time: '2026-06-01T12:00:00Z',
  server_time: '2026-06-01T12:00:00Z',
  assessed_until: '2026-06-01T12:00:00Z',
  unassessed: 0,
  down: [],
  quarantined: 0,
  quarantine_reason: null,
  refused: 0,
  refused_reason: null,
};

/** A calm plant, unless `more` says otherwise. */
export function stateOf(more: Partial<PlantState> = {}, standing: number[] = []): PlantState {
  const { warnings } = told('2026-06-01T12:00:00Z', {}, standing);
  const calm = { known: true, reason: null, in_alarm: false, since: null, limits: [] };
  const none = { pending: [], not_evaluated: [] };
  return { plant_time: '2026-06-01T12:00:00Z', ...calm, ...none, warnings, ...more };
}

/** The limit of the first instrument, exceeded since `since`. */
export function limitAlarm(more: Partial<LimitAlarm> = {}): LimitAlarm {
  const rule = {
    rule: 'bursting',
    key: 'p1',
    tag: 'P1',
    title: 'P1 above 8 bar',
    limit: 8,
    unit: 'bar',
  };
  return { ...rule, value: 8.4, since: '2026-06-01T11:40:00Z', approximate: false, ...more };
}

export function inAlarm(more: Partial<LimitAlarm> = {}): PlantState {
  const limit = limitAlarm(more);
  return stateOf({ in_alarm: true, since: limit.since, limits: [limit] });
}

/** A server made of a table: method and path, and what it answers. */
export function served(table: Record<string, (request: Request) => Response | Promise<Response>>) {
  const asked: string[] = [];
  const send = async (request: Request) => {
    const name = `${request.method} ${new URL(request.url).pathname.replace('/api', '')}`;
    asked.push(name);
    const answer = table[name];
    if (!answer) throw new TypeError(`nothing answers ${name}`);
    return answer(request);
  };
  return { send, asked };
}

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json' },
  });
}

export function refused(status: number, detail: string): Response {
  return json({ title: 'Refused', status, detail }, status);
}
