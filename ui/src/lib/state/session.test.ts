import { expect, test } from 'vitest';
import { bodyOf } from '../api/problem';
import { json, problem, serverWith } from './fixtures';
import { Session } from './session.svelte';

const ORIGIN = 'http://screen.test';
const tokenFor = (access_token: string, role = 'operator') =>
  json({ access_token, token_type: 'bearer', expires_in: 900, person: { username: 'ada', role } });
const bearer = (request: Request) => request.headers.get('Authorization');

test('a login keeps the token in memory and signs later requests', async () => {
  let form = '';
  const { send } = serverWith({
    'POST /auth/login': async (request) => ((form = await request.text()), tokenFor('first')),
    'GET /plant': (request) => json({ bearer: bearer(request) }),
  });
  const session = new Session(send, ORIGIN);
  await session.login('ada', 'a & b');
  expect(form).toBe('username=ada&password=a+%26+b');
  expect(session.phase).toBe('in');
  expect(await bodyOf(session.api.GET('/plant'))).toEqual({ bearer: 'Bearer first' });
  expect(localStorage.length).toBe(0);
});

test('after a 401, all waiting requests share one renewal and are sent again', async () => {
  const bodies: string[] = [];
  const { send, requests } = serverWith({
    'POST /auth/login': () => tokenFor('old'),
    'POST /auth/refresh': () => tokenFor('new'),
    'POST /infer/predict': async (request) => {
      bodies.push(await request.text());
      return bearer(request) === 'Bearer new' ? json({ risk_score: 0.1 }) : problem(401, 'expired');
    },
  });
  const session = new Session(send, ORIGIN);
  await session.login('ada', 'secret');
  const body = { features: { p1: 1 } };
  await Promise.all([1, 2].map(() => bodyOf(session.api.POST('/infer/predict', { body }))));
  expect(requests.filter((name) => name === 'POST /auth/refresh')).toHaveLength(1);
  expect(new Set(bodies)).toEqual(new Set(['{"features":{"p1":1}}']));
  expect(session.phase).toBe('in');
});

test('if the token cannot be renewed, the session is expired and the user name stays', async () => {
  const { send } = serverWith({
    'POST /auth/login': () => tokenFor('old', 'engineer'),
    'POST /auth/refresh': () => problem(401, 'nobody is logged in'),
    'GET /plant': () => problem(401, 'expired'),
  });
  const session = new Session(send, ORIGIN);
  await session.login('ada', 'secret');
  await expect(bodyOf(session.api.GET('/plant'))).rejects.toThrow('expired');
  expect(session.phase).toBe('expired');
  expect(session.person?.username).toBe('ada');
  expect([session.may('operator'), session.may('engineer'), session.may('admin')]).toEqual([
    true,
    true,
    false,
  ]);
});

test('an unreachable server is not an expired session', async () => {
  const { send } = serverWith({
    'POST /auth/login': () => tokenFor('old'),
    'GET /plant': () => problem(401, 'expired'),
  });
  const session = new Session(send, ORIGIN);
  await session.login('ada', 'secret');
  await expect(bodyOf(session.api.GET('/plant'))).rejects.toThrow('expired');
  expect(session.phase).toBe('in');
});

test.each([
  ['a valid cookie', () => tokenFor('again'), 'in', null],
  ['no cookie', () => problem(401, 'no cookie'), 'out', null],
  ['too many requests', () => problem(429, 'try again later'), 'starting', 'try again later'],
  ['a server that is down', () => problem(503, 'down'), 'starting', 'down'],
])('a start with %s', async (_, refresh, phase, problem) => {
  const { send } = serverWith({ 'POST /auth/refresh': refresh });
  const session = new Session(send, ORIGIN);
  await session.start();
  expect(session.phase).toBe(phase);
  expect(session.problem?.message ?? null).toBe(problem);
});
