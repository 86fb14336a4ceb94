// One error class: what went wrong, which kind of failure it is, and what the user can do.
import { constants } from "node:os";

/** Exit statuses by kind of error, documented for users in docs/exit-status.md. */
const EXIT_STATUS = {
  failed: 1,
  usage: 2,
  unsupported: 3,
  network: 4,
  authentication: 5,
  integrity: 6,
  policy: 7,
  space: 8,
  busy: 9,
  queued: 10,
  unfinished: 11,
} as const;

export type ErrorKind = keyof typeof EXIT_STATUS;

export interface BootcErrorOptions {
  /** Decides the exit status. When absent, the kind of the cause counts, or `failed`. */
  readonly kind?: ErrorKind;
  readonly cause?: unknown;
  /** What the user can do: a full phrase in lower case. */
  readonly hint?: string;
  /** Whether the hint is shown although a cause has one, which otherwise knows better. */
  readonly isHintUrgent?: boolean;
}

/**
 * An error that someone outside the program can understand or cause.
 * `message` says what is wrong, in lower case, without a period, with values in backquotes.
 */
export class BootcError extends Error {
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly isHintUrgent: boolean;

  constructor(message: string, options: BootcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "BootcError";
    this.kind = options.kind ?? kindOf(options.cause);
    this.hint = options.hint;
    this.isHintUrgent = options.isHintUrgent === true;
  }
}

/** Runs `work`. An error from `work` also says what was being done. */
export async function doing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new BootcError(what, { cause });
  }
}

/** The kind of any thrown value: a `BootcError` states its own, errno reveals a full or read-only disk. */
export function kindOf(error: unknown): ErrorKind {
  if (error instanceof BootcError) return error.kind;
  const code = errnoOf(error);
  return (code === undefined ? undefined : diskFailure(code)?.kind) ?? "failed";
}

interface DiskFailure {
  readonly kind: ErrorKind;
  readonly hint: string;
}

const REPAIR = "ext4 with `e2fsck`, XFS with `xfs_repair`, btrfs with `btrfs check`";

/** How a file system refuses writes: the error's name, and what programs call it. */
const DISK_FAILURES: readonly (DiskFailure & { readonly pattern: RegExp })[] = [
  {
    pattern: /\bENOSPC\b|no space left on device/i,
    kind: "space",
    hint: "make room on that file system, and run this again",
  },
  {
    pattern: /\bEDQUOT\b|disk quota exceeded/i,
    kind: "space",
    hint: "raise the quota or make room, and run this again",
  },
  {
    pattern: /\bEROFS\b|read-only file system/i,
    kind: "failed",
    hint: "that file system is read-only; if it should not be, `dmesg` may say that its disk has failed",
  },
  {
    pattern: /\bEIO\b|input\/output error|\bi\/o error/i,
    kind: "failed",
    hint: "the disk has failed or been removed; `dmesg` may say more",
  },
  {
    pattern: /\bEUCLEAN\b|\bEBADMSG\b|structure needs cleaning/i,
    kind: "failed",
    hint: `that file system is damaged; repair it from a rescue system: ${REPAIR}; \`dmesg\` may say more`,
  },
  {
    // Programs of systemd also say so of a file with the wrong content.
    pattern: /\bbad message$/i,
    kind: "failed",
    hint:
      "a file is malformed, or its file system may be damaged; if `dmesg` says that it is, " +
      `repair it from a rescue system: ${REPAIR}`,
  },
  {
    // The reason that follows is wrong: ostree first looks up the repository's path, which it lacks here, and
    // that replaces errno.
    pattern: /\(null\)\/\.lock failed: /,
    kind: "failed",
    hint: "the lock of ostree's repository cannot be opened; `dmesg` may say why",
  },
];

/** What an error's name, or the words of a program, say of a file system that takes no writes. */
export function diskFailure(text: string): DiskFailure | undefined {
  const known = DISK_FAILURES.find(({ pattern }) => pattern.test(text));
  return known && { kind: known.kind, hint: known.hint };
}

/** Who reads a hint. */
export interface Reader {
  readonly isRoot: boolean;
}

/** What to do about an error's name, whatever the system was asked for. */
function hintOfErrno(code: string | undefined, { isRoot }: Reader): string | undefined {
  if (code === undefined) return undefined;
  if (code === "EACCES") {
    return isRoot
      ? "an SELinux policy or the file system forbids it; `ausearch -m avc` may show what was denied"
      : "permissions or an SELinux policy forbid it; run it as root";
  }
  return diskFailure(code)?.hint;
}

export function exitStatusOf(error: unknown): number {
  return EXIT_STATUS[kindOf(error)];
}

/** Whatever was thrown, as an error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The system's error name (`ENOENT`), when `error` is a system error. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  if (typeof error.code === "string" && /^E[A-Z0-9]+$/.test(error.code)) return error.code;
  return unnamedErrnoOf(error);
}

/** Node lacks the name of what ext4 and XFS say of a damaged file system. */
const ERRNO: Readonly<Record<string, number>> = { ...constants.errno, EUCLEAN: 117 };

/** libuv lacks the names of some errors, EDQUOT among them; Node then says only their numbers. */
function unnamedErrnoOf(error: Error): string | undefined {
  if (!("errno" in error) || typeof error.errno !== "number") return undefined;
  const { errno } = error;
  return Object.entries(ERRNO).find(([, number]) => number === -errno)?.[0];
}

export interface ErrorDescription {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly causes: readonly string[];
  readonly hint: string | null;
}

/** An error as data: `--json` prints it, and the text form is built from it. */
export function describeError(error: unknown, reader: Reader = { isRoot: true }): ErrorDescription {
  const chain = causeChain(error);
  const [message = "unknown error", ...causes] = chain.map(messageOf);
  const hinting = chain.filter((it) => it instanceof BootcError).filter((it) => it.hint);
  const hinted = hinting.find((it) => it.isHintUrgent) ?? hinting.at(-1);
  const hint = hinted?.hint ?? hintOfErrno(errnoOf(chain.at(-1)), reader);
  return { kind: kindOf(error), message, causes, hint: hint ?? null };
}

/** The message of an error with those of its causes, for a note in one line. */
export function explainError(error: unknown): string {
  const { message, causes } = describeError(error);
  return [message, ...causes].join(": ");
}

/** Whether the error is our bug: its root cause is neither a `BootcError` nor a system error. */
export function isInternalError(error: unknown): boolean {
  const root = causeChain(error).at(-1);
  return !(root instanceof BootcError) && errnoOf(root) === undefined;
}

export function rootStack(error: unknown): string {
  const root = causeChain(error).at(-1);
  return root instanceof Error ? (root.stack ?? root.message) : String(root);
}

function causeChain(error: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  for (let link = error; link !== undefined && !chain.includes(link); ) {
    chain.push(link);
    link = link instanceof Error ? link.cause : undefined;
  }
  return chain;
}

/** What an error itself says, without its causes. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const name = unnamedErrnoOf(error);
  if (name === undefined) return error.message;
  return error.message.replace(UNNAMED, `${name}: ${UNNAMED_TEXTS[name] ?? "system error"}`);
}

const UNNAMED_TEXTS: Readonly<Record<string, string>> = {
  EDQUOT: "disk quota exceeded",
  EUCLEAN: "structure needs cleaning",
  EBADMSG: "bad message",
};

const UNNAMED = /^(?:UNKNOWN: unknown error|Unknown system error -\d+: Unknown system error -\d+)/;
