// Judges what a disturbed verb said and left: the old state or the new one, and an error that people can use.
import { constants } from "node:os";
import { findCrash } from "../hostile/judge.ts";
import type { Facts } from "./facts.ts";

export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Expected {
  /** Before the verb, and after it when nothing disturbs it. */
  readonly before: Facts;
  readonly after: Facts;
  /** The verb changes back what it did, when it is run again. */
  readonly isToggle: boolean;
  /** After a second run of a verb that does the same once more. */
  readonly twice?: Facts;
}

const { ENOSPC, EDQUOT } = constants.errno;
const SPACE = 8;
const FAILED = 1;
/**
 * ostree's words when it cannot open its lock, whatever the reason, since it looks again in the wrong place; and when it
 * cannot remove the mark of a transaction, whose error it loses.
 */
const MISREPORTED = /\(null\)\/\.lock failed: .*\nhint: |assertion failed: \(success \|\| error\)/;

/**
 * An error must be of the right kind, in one line, with a hint. Success is right as well: what failed was not needed.
 */
export function judgeMessage(
  { status, signal, stdout, stderr }: Ended,
  errno: number,
): readonly string[] {
  if (signal !== null || status === null) return [`ended by ${signal}`];
  const crash = findCrash(`${stdout}\n${stderr}`);
  if (status === 0) return crash;
  const isMisreported = MISREPORTED.test(stderr);
  const isSpace = (errno === ENOSPC || errno === EDQUOT) && !isMisreported;
  const wanted = isSpace ? SPACE : FAILED;
  const errors = stderr.match(/^error: .+$/gm) ?? [];
  return [
    ...crash,
    ...(status === wanted ? [] : [`ended with status ${status} instead of ${wanted}`]),
    ...(errors.length === 1 ? [] : [`failed with ${errors.length} lines of error`]),
    ...(isMisreported || /^hint: ./m.test(stderr) ? [] : ["failed without a hint"]),
  ];
}

/** ostree has not given the ref its name yet, and `bootc` does not see it. */
const UNNAMED = /\/tmp\.[A-Za-z0-9]{6}$/;

/** Whatever is visible is of the state before or after, and whole. */
export function judgeVisible(found: Facts, { before, after }: Expected): readonly string[] {
  const isOneOf = (read: (it: Facts) => unknown) =>
    [before, after].some((it) => JSON.stringify(read(it)) === JSON.stringify(read(found)));
  const shown = [...found.listed, ...(found.stagedName === "" ? [] : [found.stagedName])];
  return [
    ...(isOneOf((it) => it.entries)
      ? []
      : [`the boot entries are ${JSON.stringify(found.entries)}`]),
    ...(found.staged === "" || isOneOf((it) => it.staged) ? [] : ["something else is staged"]),
    ...shown
      .filter(
        (it) => ![before, after].some((known) => known.deployments[it] === found.deployments[it]),
      )
      .map((it) => `the deployment ${it} differs`),
    ...Object.entries(found.refs).flatMap(([ref, commit]) => {
      const isKnown = [before, after].some((it) => it.refs[ref] === commit);
      const isOurs = /^ostree\/container\/(image|blob)\//.test(ref) && !UNNAMED.test(ref);
      return isKnown || !isOurs ? [] : [`the ref ${ref} is ${commit}`];
    }),
    ...found.lacking.map((it) => `the ref ${it} names a commit that lacks objects`),
  ];
}

/** A verb that would change back what it did, must not fail once it has done it. */
export function judgeFailed(
  found: Facts,
  { before, after, isToggle }: Expected,
): readonly string[] {
  const isDone = hasEntriesOf(found, after);
  const isSame = JSON.stringify(before.entries) === JSON.stringify(after.entries);
  return isToggle && isDone && !isSame ? ["failed, but has taken effect"] : [];
}

export function hasEntriesOf(one: Facts, other: Facts): boolean {
  return JSON.stringify(one.entries) === JSON.stringify(other.entries);
}

const VISIBLE = [
  "refs",
  "entries",
  "deployments",
  "staged",
  "told",
] as const satisfies readonly (keyof Facts)[];

/** What a verb that has taken effect says about what it could not do; it ends with 0. */
const EXCUSES = {
  told: /^warning: `\/run\/reboot-required` (does not|may still) ask for a reboot: ./m,
  refs: /^note: ostree could not clean up: ./m,
} as const;

/** ostree removes these refs before it makes new ones; the next change or clean-up of the host makes them first. */
const OF_DEPLOYMENTS = /^ostree\/[01*]\/[01*]\//;

function withoutDeployments(facts: Facts): Facts {
  const refs = Object.entries(facts.refs).filter(([ref]) => !OF_DEPLOYMENTS.test(ref));
  return { ...facts, refs: Object.fromEntries(refs) };
}

/** Then the next run cleans up. */
const UNCLEAN = /^note: not everything could be cleaned up: ./m;

/** What is new is there, and what else there is was there before. */
function allowUnclean(found: Facts, { before, after }: Pick<Expected, "before" | "after">) {
  const kept = { ...before.refs, ...after.refs };
  const refs = Object.keys(kept).filter((ref) => ref in found.refs || ref in after.refs);
  const wanted = { ...after, refs: Object.fromEntries(refs.sort().map((it) => [it, kept[it]])) };
  const sorted = { ...found, refs: Object.fromEntries(Object.entries(found.refs).sort()) };
  return { found: sorted, wanted: wanted as Facts };
}

/** After success, everything is as without a disturbance, except what nobody sees, and what is excused. */
export function judgeDone(
  found: Facts,
  { before, after, isToggle }: Expected,
  { stderr }: Pick<Ended, "stderr">,
): readonly string[] {
  const isExcused = (key: keyof typeof EXCUSES) =>
    (isToggle || key === "told") && EXCUSES[key].test(stderr);
  const seen = isExcused("refs") ? withoutDeployments : (facts: Facts) => facts;
  const compared = UNCLEAN.test(stderr)
    ? allowUnclean(found, { before, after })
    : { found: seen(found), wanted: seen(after) };
  return VISIBLE.filter((key) => key !== "told" || !isExcused("told")).flatMap((key) =>
    describeDifference(key, compared.found, [compared.wanted]),
  );
}

/** After the next run, which found what the disturbance had left, nothing is left of it. */
export function judgeRerun(
  found: Facts,
  { before, after, isToggle, twice }: Expected,
  left: Facts,
): readonly string[] {
  // A verb that is killed after its work, did not say so, and nobody asks it whether it has been done.
  const repeated = twice !== undefined && hasEntriesOf(left, after) ? [twice] : [];
  const wanted = isToggle ? [after, before] : [...repeated, after];
  return [...VISIBLE, "leftovers" as const, "partial" as const].flatMap((key) =>
    describeDifference(key, found, wanted),
  );
}

function describeDifference(
  key: keyof Facts,
  found: Facts,
  wanted: readonly Facts[],
): readonly string[] {
  const [first] = wanted;
  if (
    first === undefined ||
    wanted.some((it) => JSON.stringify(it[key]) === JSON.stringify(found[key]))
  )
    return [];
  const lines = (it: Facts) => {
    const value = it[key];
    if (typeof value === "string") return [value];
    return Array.isArray(value) ? value : Object.entries(value).map((pair) => pair.join(" "));
  };
  const [is, was] = [new Set(lines(found)), new Set(lines(first))];
  const more = [...is].filter((it) => !was.has(it)).map((it) => `+${it}`);
  const less = [...was].filter((it) => !is.has(it)).map((it) => `-${it}`);
  return [`${key}: ${[...more, ...less].slice(0, 6).join(", ").slice(0, 600)}`];
}
