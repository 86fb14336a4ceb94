// The states in which a power cut can leave a disk: everything flushed is there, and of the writes since then, any
// part. They are numbered, so that a recording and a number name one state for good.
import { hash } from "node:crypto";
import { createRandom } from "../repo/images/random.ts";
import type { Interval, Write } from "./disk-log.ts";

/**
 * What is there of the writes since the last flush: all of them; all but one; the first ones, the last of which may be
 * torn; random whole ones; random pieces of 4 KiB or 512 bytes.
 */
export const KINDS = ["flushed", "one-missing", "prefix", "subset", "torn-4k", "torn-512"] as const;
export type Kind = (typeof KINDS)[number];

/** No file system promises to survive half of one of its blocks, which states of these kinds may have. */
export const mayTearBlock = (kind: Kind): boolean => kind === "prefix" || kind === "torn-512";

export interface State {
  readonly number: number;
  /** The interval whose writes are there in part; all earlier ones are complete. */
  readonly interval: number;
  readonly kind: Kind;
  /** Which one of its kind. */
  readonly index: number;
}

/** How many random states of a kind an interval has at most. */
const RANDOM: Readonly<Record<Exclude<Kind, "flushed" | "one-missing">, number>> = {
  prefix: 12,
  subset: 12,
  "torn-4k": 12,
  "torn-512": 14,
};

/** The interval that a state belongs to. */
export function intervalOf(intervals: readonly Interval[], state: State): Interval {
  const interval = intervals[state.interval];
  if (interval !== undefined) return interval;
  throw new Error(`the recording has no interval ${state.interval}`);
}

const SECTOR = 512;
const BLOCK = 4096;

/** How many states of each kind an interval has. Kinds that would only repeat another one are left out. */
function countKinds({ writes }: Interval): Readonly<Record<Kind, number>> {
  const count = writes.length;
  const sectors = writes.reduce((sum, it) => sum + it.bytes / SECTOR, 0);
  const isSplit = writes.some((it) => it.bytes > BLOCK);
  return {
    flushed: 1,
    // One write alone that is missing is the state before it.
    "one-missing": count < 2 ? 0 : count,
    prefix: Math.min(RANDOM.prefix, sectors - 1),
    subset: count < 3 ? 0 : Math.min(RANDOM.subset, 2 ** count - 2 - count),
    "torn-4k": isSplit ? RANDOM["torn-4k"] : 0,
    "torn-512": sectors > count ? RANDOM["torn-512"] : 0,
  };
}

const isRandom = (kind: Kind): kind is keyof typeof RANDOM => kind in RANDOM;

/**
 * All states of a recording, in the order of the intervals, and so are those of each further round, which chooses as many
 * random states again. What a further round only repeats is left out, so that numbers have gaps there.
 */
export function listStates(intervals: readonly Interval[], rounds = 1): readonly State[] {
  let number = 0;
  const all = Array.from({ length: rounds }, (_, round) =>
    intervals.flatMap((interval, i) => {
      const counts = countKinds(interval);
      const kinds = round === 0 ? KINDS : KINDS.filter((it) => isAgain(it, counts[it]));
      return kinds.flatMap((kind) =>
        Array.from({ length: counts[kind] }, (_, index) => ({
          ...{ number: number++, interval: i, kind },
          index: round * counts[kind] + index,
        })),
      );
    }),
  );
  const [first = [], ...further] = all;
  return rounds === 1 ? first : [...first, ...leaveOutRepeated(intervals, first, further.flat())];
}

function leaveOutRepeated(
  intervals: readonly Interval[],
  first: readonly State[],
  further: readonly State[],
): readonly State[] {
  const keyOf = (state: State) => {
    const kept = keptWrites(intervalOf(intervals, state), state);
    return hash("sha1", JSON.stringify([state.interval, kept]), "base64");
  };
  const seen = new Set(first.map(keyOf));
  return further.filter((it) => {
    const key = keyOf(it);
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** An interval with fewer states of a kind has hardly any other ones. */
const isAgain = (kind: Kind, count: number) => isRandom(kind) && count === RANDOM[kind];

/** The writes and parts of writes of a state's interval that are on the disk, in their order. */
export function keptWrites(interval: Interval, state: State): readonly Write[] {
  const { writes } = interval;
  const random = createRandom(Math.imul(state.number + 1, 0x9e37_79b1));
  switch (state.kind) {
    case "flushed":
      return writes;
    case "one-missing":
      return writes.filter((_, i) => i !== state.index);
    case "prefix":
      return takePrefix(writes, random);
    case "subset":
      return takeSome(writes, random);
    case "torn-4k":
      return takeSome(splitAll(writes, BLOCK), random);
    case "torn-512":
      return takeSome(splitAll(writes, SECTOR), random);
  }
}

type Random = (limit: number) => number;

function takePrefix(writes: readonly Write[], random: Random): readonly Write[] {
  const total = writes.reduce((sum, it) => sum + it.bytes / SECTOR, 0);
  let left = (1 + random(total - 1)) * SECTOR;
  return writes.flatMap((it) => {
    const bytes = Math.min(left, it.bytes);
    left -= bytes;
    return bytes === 0 ? [] : [{ ...it, bytes }];
  });
}

/** Each is there with the same probability, which is random itself: states with few and with many are as common. */
function takeSome(writes: readonly Write[], random: Random): readonly Write[] {
  const share = 1 + random(99);
  return writes.filter(() => random(100) < share);
}

/** Cuts writes at multiples of `size` on the disk. */
function splitAll(writes: readonly Write[], size: number): readonly Write[] {
  return writes.flatMap((it) => {
    const pieces: Write[] = [];
    for (let done = 0; done < it.bytes; ) {
      const bytes = Math.min(size - ((it.at + done) % size), it.bytes - done);
      const dataAt = it.dataAt === undefined ? undefined : it.dataAt + done;
      pieces.push({ at: it.at + done, bytes, dataAt });
      done += bytes;
    }
    return pieces;
  });
}

/** `count` of the states, spread over all intervals and kinds by their numbers; the same ones every time. */
export function sampleStates(states: readonly State[], count: number): readonly State[] {
  if (count >= states.length) return states;
  const step = states.length / count;
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor(i * step);
    const width = Math.max(1, Math.floor((i + 1) * step) - from);
    return states[from + createRandom(i)(width)];
  }).filter((it) => it !== undefined);
}

/**
 * `count` of the states, spread as evenly as possible over the groups that `stratumOf` makes; a group with fewer than its
 * share leaves the rest to the others. If there are more groups than `count`, `count` of them, spread over the recording,
 * give one state each.
 */
export function chooseByStrata(
  states: readonly State[],
  count: number,
  stratumOf: (state: State) => string,
): readonly State[] {
  const all = [...Map.groupBy(states, stratumOf).values()];
  const spread = Array.from(
    { length: count },
    (_, i) => all[Math.floor(((i + 0.5) * all.length) / count)],
  );
  const groups = count < all.length ? spread.filter((it) => it !== undefined) : all;
  let left = count;
  return groups
    .sort((a, b) => a.length - b.length)
    .flatMap((group, i) => {
      const chosen = sampleStates(group, Math.floor(left / (groups.length - i)));
      left -= chosen.length;
      return chosen;
    })
    .sort((a, b) => a.number - b.number);
}
