// Judges the pull of a damaged image: the image and nothing else, or a typed error and nothing at all, is right.

/** The output of a pull, and what it left behind. */
export interface Observation {
  /** null when a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly ms: number;
  readonly stdout: string;
  readonly stderr: string;
  /** All refs of the repository. */
  readonly refs: readonly string[];
  /** What is in `extensions/bootc`, `tmp` and the temporary directory; `wrong:` before a blob that is not what its name says. */
  readonly files: readonly string[];
  /** The complaints of `ostree fsck`; empty when there are none. */
  readonly fsck: string;
}

export const TIME_MAX_MS = 60_000;
/** A message may repeat long names and values of the image; anything longer than this is a dump. */
const MESSAGE_MAX = 20_000;

/**
 * The statuses of docs/exit-status.md that data can have: done, failed, unsupported, network (a registry that
 * cannot deliver), integrity, policy, space (a size that no disk has room for).
 */
const STATUSES: readonly (number | null)[] = [0, 1, 3, 4, 6, 7, 8];

const CRASH = [
  /defect of bootc/,
  /please report/,
  /^ {4}at .+:\d+:\d+\)?$/m,
  /\bnode:internal\b/,
  /^Node\.js v\d/m,
  /FATAL ERROR/,
  /Unhandled|UNHANDLED|unreachable:/,
  /Maximum call stack size exceeded/,
];

/** The faults; none when all is well. */
export function findProblems(it: Observation): readonly string[] {
  return [...findEndProblems(it), ...findMessageProblems(it), ...findLeftovers(it), ...fsckOf(it)];
}

function findEndProblems({ status, signal, ms }: Observation): readonly string[] {
  if (ms >= TIME_MAX_MS) return [`ran for more than ${TIME_MAX_MS / 1000} s`];
  if (signal !== null) return [`ended by ${signal}`];
  return STATUSES.includes(status) ? [] : [`ended with status ${status}`];
}

/** How a crash shows in the program's output. */
export function findCrash(said: string): readonly string[] {
  const crash = CRASH.map((it) => it.exec(said)?.[0]).find((it) => it !== undefined);
  return crash === undefined ? [] : [`said \`${crash.trim().slice(0, 80)}\``];
}

function findMessageProblems({ status, stdout, stderr }: Observation): readonly string[] {
  const said = `${stdout}\n${stderr}`;
  const errors = stderr.match(/^error: .+$/gm) ?? [];
  return [
    ...findCrash(said),
    ...(said.length > MESSAGE_MAX ? [`said ${said.length} characters`] : []),
    ...(status === 0 && !stdout.includes("=> ") ? ["succeeded without naming a commit"] : []),
    ...(status === 0 && errors.length > 0 ? ["succeeded with an error"] : []),
    ...(status !== 0 && errors.length !== 1 ? [`failed with ${errors.length} lines of error`] : []),
  ];
}

/**
 * What a failed image may leave: a complete blob, for the next pull; ostree's files of an aborted commit, which its
 * next commit takes over; and ostree's mark at a partial commit.
 */
const MAY_STAY =
  /^(extensions\/bootc\/blobs\/sha256\/[0-9a-f]{64}|tmp\/staging-[^/]+(\/.*)?|state\/[0-9a-f]{64}\.commitpartial)$/;

/** Imported layers may also wait for the next pull. */
function findLeftovers({ status, refs, files }: Observation): readonly string[] {
  const isDone = status === 0;
  const images = refs.filter((it) => it.startsWith("ostree/container/image/"));
  const isExpected = (ref: string) =>
    isDone ? ref.startsWith("ostree/container/") : ref.startsWith("bootc-pull/pending/");
  return [
    ...(isDone && images.length !== 1 ? [`${images.length} images after success`] : []),
    ...refs.filter((it) => !isExpected(it)).map((it) => `left the ref ${it}`),
    ...files
      .filter((it) => isDone || !MAY_STAY.test(it))
      .map((it) => `left ${it.replace(/^wrong:/, "a wrong blob: ")}`),
  ];
}

function fsckOf({ fsck }: Observation): readonly string[] {
  return fsck === "" ? [] : [`fsck: ${fsck.trim().split("\n").at(-1)}`];
}

/** The first line that says how the pull ended, short enough for a table. */
export function firstLine({ stdout, stderr }: Pick<Observation, "stdout" | "stderr">): string {
  return (/^error: .+$/m.exec(stderr)?.[0] ?? stdout.split("\n", 1)[0] ?? "").slice(0, 500);
}
