// What is wrong with a system that has just started: judged from its units.
export interface UnitState {
  readonly name: string;
  /** `loaded`, `not-found`, `masked`, … */
  readonly load: string;
  /** `active`, `failed`, `inactive`, `activating`, … */
  readonly active: string;
  readonly result: string;
  readonly type: string;
  /** systemd is still starting or stopping it, or waits for others before it does. */
  readonly hasJob: boolean;
  /** Its program has ended at least once since the machine started. */
  readonly hasEnded: boolean;
}

export interface Fault {
  readonly reason: string;
  /** Where more may be found. */
  readonly unit?: string;
  readonly details?: readonly string[];
}

/** What speaks against a unit that has to be up; undefined if nothing does. */
export function judgeUnit({
  name,
  load,
  active,
  result,
  type,
  hasJob,
  hasEnded,
}: UnitState): Fault | undefined {
  const fault = (what: string): Fault => ({ reason: `\`${name}\` ${what}`, unit: name });
  if (load !== "loaded") return fault(load === "masked" ? "is masked" : "does not exist");
  if (active === "failed") return fault("has failed");
  if (hasJob || active === "activating") return fault("did not start in time");
  if (active === "active" || active === "reloading" || active === "refreshing") return undefined;
  // A program that has done its work. The result of one that never ran is a success as well.
  if (type === "oneshot" && result === "success" && hasEnded) return undefined;
  return fault("does not run");
}

/** The unit that starts the check, which others may wait for. */
const OURSELVES = "bootc-health.service";

/**
 * Whether all that systemd still has to do waits for the verdict, as units do that want a complete boot.
 * A check that waited for them would never end.
 */
export function isOnlyVerdictMissing(
  jobs: readonly { readonly unit: string; readonly state: string }[],
): boolean {
  const running = jobs.filter((it) => it.state !== "waiting");
  return running.length > 0 && running.every((it) => it.unit === OURSELVES);
}

/** The failed units that a list of names, in which `*` stands for any text, is about. */
export function judgeFailed(
  failed: readonly string[],
  patterns: readonly string[],
): readonly Fault[] {
  const isMeant = patterns.map(matcherOf);
  return failed
    .filter((name) => isMeant.some((it) => it.test(name)))
    .map((name) => ({ reason: `\`${name}\` has failed`, unit: name }));
}

function matcherOf(pattern: string): RegExp {
  const parts = pattern.split("*").map((it) => it.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}

/** The first line says all that is wrong; what is known of each fault follows. */
export function describeFaults(faults: readonly Fault[]): readonly string[] {
  return [
    faults.map((it) => it.reason).join(", "),
    ...faults.flatMap(({ details = [] }) => details.map((it) => `  ${it}`)),
  ];
}
