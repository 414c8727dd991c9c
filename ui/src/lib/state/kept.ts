/** A choice kept in this browser; where storing is forbidden, for this visit. */
export function kept(name: string, otherwise: string): string {
  try {
    return localStorage.getItem(`alarmstack.${name}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`alarmstack.${name}`, value);
  } catch {
    // The choice holds for this visit.
  }
}
