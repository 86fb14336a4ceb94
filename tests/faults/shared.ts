// What the thread that counts system calls shares with the one that starts programs.
import type { CallName } from "./calls.ts";
import type { LookedAt } from "./look.ts";

/** Places in the shared memory. */
export const AT = {
  isOver: 0,
  /** Counting begins when the program under test says so. */
  isArmed: 1,
  /** How many calls there were. */
  count: 2,
  /** Which of them is disturbed; 0 for none. */
  step: 3,
  /** What it fails with; 0 to kill. */
  errno: 4,
  /** All later calls fail as well. */
  isLasting: 5,
  /** How many calls were disturbed. */
  fired: 6,
  isTraced: 7,
  /** The descriptor on which questions arrive, once there is one. */
  listener: 8,
  /** The number of the file system under test. */
  device: 9,
  /** Everything is looked at before each call. */
  isWatched: 10,
} as const;

export const SHARED_BYTES = 4 * 16;

export interface SupervisorData {
  readonly shared: SharedArrayBuffer;
  readonly host: LookedAt;
}

/** Names a call by what it does: its number varies by a few places, with the order of threads. */
export interface Aim {
  readonly name: CallName;
  /** A pattern. The first such call is disturbed. */
  readonly place: string;
}

export interface CountedCall {
  readonly count: number;
  readonly name: CallName;
  readonly place: string;
  readonly program: string;
}
