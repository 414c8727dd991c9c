/** Preferences of a user. If the browser blocks its storage, they last for one visit. */

export function readPreference(name: string, defaultValue: string): string {
  try {
    return localStorage.getItem(`alarmstack.${name}`) ?? defaultValue;
  } catch {
    return defaultValue;
  }
}

export function savePreference(name: string, value: string): void {
  try {
    localStorage.setItem(`alarmstack.${name}`, value);
  } catch {
    // Storage is blocked: the preference lasts for this visit.
  }
}
