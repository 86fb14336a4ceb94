// Steps: which call of which scenario is disturbed, and how.
import { constants } from "node:os";
import type { Aim } from "./shared.ts";

const { ENOSPC, EIO, EROFS, EDQUOT } = constants.errno;

interface How {
  readonly about: string;
  /** What the call fails with; 0 for a kill of everything. */
  readonly errno: number;
  /** All calls after it fail as well. */
  readonly isLasting?: boolean;
}

export const KINDS = {
  kill: { about: "SIGKILL for all programs of the verb before the call", errno: 0 },
  ENOSPC: { about: "the call fails: no space left", errno: ENOSPC },
  EIO: { about: "the call fails: an input or output error", errno: EIO },
  EROFS: { about: "the call fails: a read-only file system", errno: EROFS },
  EDQUOT: { about: "the call fails: over quota", errno: EDQUOT },
  full: { about: "from the call on, the disk is full", errno: ENOSPC, isLasting: true },
  "read-only": { about: "from the call on, the disk is read-only", errno: EROFS, isLasting: true },
  stops: { about: "no disturbance; a look before each call at what SIGKILL would leave", errno: 0 },
  kills: {
    about: "a row of kills: at the call, and of the runs after it at random calls",
    errno: 0,
  },
} as const satisfies Readonly<Record<string, How>>;

export type Kind = keyof typeof KINDS;

/** The kinds in which a single call fails. */
export const ERRORS = ["ENOSPC", "EIO", "EROFS", "EDQUOT"] as const satisfies readonly Kind[];

export function howOf(kind: Kind): How {
  return KINDS[kind];
}

export interface Step {
  readonly scenario: string;
  readonly kind: Kind;
  /** The call, from 1; for a row of kills, the first of them, and its seed. */
  readonly number: number;
  /** Names the call instead of its number, which is 0 then. */
  readonly aim?: Aim;
}

export const nameOf = ({ scenario, kind, number }: Step): string => `${scenario}/${kind}/${number}`;

export function parseStep(name: string): Step {
  const [, scenario, kind, number] = /^([^/]+)\/([^/]+)\/(\d+)$/.exec(name) ?? [];
  if (scenario === undefined || kind === undefined || !Object.hasOwn(KINDS, kind)) {
    throw new Error(`\`${name}\` is not the name of a step, such as \`upgrade/EIO/17\``);
  }
  return { scenario, kind: kind as Kind, number: Number(number) };
}

/** What to list: a kind, or one of the four errors for each call, in turn. */
export const CHOICES = [...(Object.keys(KINDS) as Kind[]), "errors"] as const;
export type Choice = (typeof CHOICES)[number];

/** The steps of a scenario with so many calls. */
export function listSteps(
  scenario: string,
  choices: readonly Choice[],
  count: number,
): readonly Step[] {
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  return choices.flatMap((choice) =>
    // It stops at all of them at once.
    (choice === "stops" ? [1] : numbers).map((number) => {
      const kind = choice === "errors" ? (ERRORS[number % ERRORS.length] ?? "EIO") : choice;
      return { scenario, kind, number };
    }),
  );
}

/** So many of them, spread over all. */
export function sampleSteps(steps: readonly Step[], count: number): readonly Step[] {
  if (count >= steps.length) return steps;
  return Array.from(
    { length: count },
    (_, i) => steps[Math.floor((i * steps.length) / count)],
  ).filter((it) => it !== undefined);
}
