// The thread that is asked before each system call that changes a file system. It counts those on the file system
// under test, and lets one of them fail, or kills everything before it.
import { closeSync, openSync, readFileSync, readlinkSync, readSync, statSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { makeCall, openLibrary, systemError } from "../../src/native/ffi.ts";
import { CALL_NAMES, CALLS, type Call, type CallName, type Target } from "./calls.ts";
import { startLooking, type View } from "./look.ts";
import { type Aim, AT, type CountedCall, type SupervisorData } from "./shared.ts";

const { shared, host } = workerData as SupervisorData;
const words = new Int32Array(shared);
Atomics.wait(words, AT.listener, 0);
const listener = Atomics.load(words, AT.listener);

const RECEIVE = 0xc0502100n;
const SEND = 0xc0182101n;
const CONTINUE = 1;
const POLL_IN = 1;
/** The asking process has ended, or a signal came first. */
const GONE = new Set<number>([constants.errno.ENOENT, constants.errno.EINTR]);

function openCalls() {
  const library = openLibrary(null, {
    ioctl: { arguments: ["i32", "u64", "buffer"], return: "i32" },
    poll: { arguments: ["buffer", "u64", "i32"], return: "i32" },
  });
  if (library === undefined) throw new Error("the C library cannot be called");
  return library.functions;
}

const c = openCalls();
const names = new Map<number, CallName>(CALL_NAMES.map((it) => [CALLS[it].number, it]));

interface Question {
  readonly id: bigint;
  readonly pid: number;
  readonly name: CallName;
  readonly args: readonly bigint[];
}

const asked = Buffer.alloc(80);
const answer = Buffer.alloc(24);
const waiting = Buffer.alloc(8);

function receive(): Question | undefined {
  waiting.writeInt32LE(listener, 0);
  waiting.writeInt16LE(POLL_IN, 4);
  waiting.writeInt16LE(0, 6);
  // Each try waits first: without a question, the other call would wait for ever.
  let isAsked = false;
  const { status, errno } = makeCall(() => {
    isAsked = c.poll(waiting, 1n, 100) > 0;
    asked.fill(0);
    return isAsked ? c.ioctl(listener, RECEIVE, asked) : 0;
  });
  if (!isAsked || (status < 0 && GONE.has(errno))) return undefined;
  if (status < 0) throw systemError(errno, { syscall: "ioctl" });
  const name = names.get(asked.readInt32LE(16));
  if (name === undefined) throw new Error("unreachable: a call that the filter does not name");
  const args = [0, 1, 2, 3, 4, 5].map((it) => asked.readBigUInt64LE(32 + 8 * it));
  return { id: asked.readBigUInt64LE(0), pid: asked.readUInt32LE(8), name, args };
}

function reply(id: bigint, errno: number): void {
  answer.fill(0);
  answer.writeBigUInt64LE(id, 0);
  answer.writeInt32LE(-errno, 16);
  answer.writeUInt32LE(errno === 0 ? CONTINUE : 0, 20);
  const { status, errno: refused } = makeCall(() => c.ioctl(listener, SEND, answer));
  if (status < 0 && !GONE.has(refused)) throw systemError(refused, { syscall: "ioctl" });
}

/** The path as this process sees it; undefined when the asking process is gone. */
function placeOf({ pid, args }: Question, target: Target): string | undefined {
  const fdOf = (at: number) => Number(BigInt.asIntN(32, args[at] ?? 0n));
  if ("fd" in target) return `/proc/${pid}/fd/${fdOf(target.fd)}`;
  const from = target.at === undefined ? -100 : fdOf(target.at);
  const top = from === -100 ? `/proc/${pid}/cwd` : `/proc/${pid}/fd/${from}`;
  const address = Number(args[target.path] ?? 0n);
  const text = address === 0 ? "" : readText(pid, address);
  if (text === undefined) return undefined;
  if (text === "") return top;
  return text.startsWith("/") ? `/proc/${pid}/root${text}` : `${top}/${text}`;
}

const TEXT_MAX = 4096;
const text = Buffer.alloc(TEXT_MAX);

function readText(pid: number, address: number): string | undefined {
  try {
    const memory = openSync(`/proc/${pid}/mem`, "r");
    try {
      // The text may end close to a page that cannot be read.
      const upToPage = TEXT_MAX - (address % TEXT_MAX);
      let length = readSync(memory, text, 0, upToPage, address);
      if (text.subarray(0, length).indexOf(0) === -1) {
        length += readSync(memory, text, length, TEXT_MAX - length, address + length);
      }
      const end = text.subarray(0, length).indexOf(0);
      return text.toString("utf8", 0, end === -1 ? length : end);
    } finally {
      closeSync(memory);
    }
  } catch {
    return undefined;
  }
}

function isUnderTest(place: string, target: Target): boolean {
  const looked =
    "fd" in target || /^\/proc\/\d+\/(fd\/\d+|cwd)$/.test(place) ? place : join(place, "..");
  try {
    return statSync(looked, { throwIfNoEntry: false })?.dev === Atomics.load(words, AT.device);
  } catch {
    return false;
  }
}

/** As the program names it, for people. */
function shownPlace(place: string): string {
  const [, top = "", rest = ""] = /^(\/proc\/\d+\/(?:fd\/\d+|cwd|root))(.*)$/.exec(place) ?? [];
  if (top.endsWith("/root")) return rest;
  try {
    return `${readlinkSync(top)}${rest}`;
  } catch {
    return place;
  }
}

/** Kills the namespace of processes, with everything in it. */
function killTree(pid: number): void {
  const chain = [pid];
  for (;;) {
    const status = readFileSync(`/proc/${chain.at(-1)}/status`, "utf8");
    const parent = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
    if (parent === process.pid || !(parent > 1)) break;
    chain.push(parent);
  }
  for (const it of chain.slice(-2)) process.kill(it, "SIGKILL");
}

function programOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

/** On a full disk, these still work. */
const FREEING: ReadonlySet<CallName> = new Set([
  "unlink",
  "unlinkat",
  "rmdir",
  "removexattr",
  "lremovexattr",
  "fremovexattr",
]);

function isSpared(name: CallName): boolean {
  return Atomics.load(words, AT.errno) === constants.errno.ENOSPC && FREEING.has(name);
}

/** The place of a call that is counted; undefined for any other. */
function countedPlace(question: Question): string | undefined {
  const { pid, name } = question;
  const { target }: Call = CALLS[name];
  const place = placeOf(question, target);
  if (place === undefined || !isUnderTest(place, target)) return undefined;
  if (Atomics.load(words, AT.isArmed) === 1) {
    // It stands in for systemd's, and notes its arguments for tests.
    return programOf(pid) === "systemctl" ? undefined : place;
  }
  if (place.endsWith("/fault-steps-begin")) {
    aim = receiveAim();
    Atomics.store(words, AT.isArmed, 1);
  }
  return undefined;
}

let aim: Aim | undefined;

/**
 * What this run aims at, if it is not a number. A run that ended before it was armed has left its own. This thread never
 * returns to its event loop.
 */
function receiveAim(): Aim | undefined {
  let last: Aim | undefined;
  for (;;) {
    const received: { message: Aim | undefined } | undefined =
      parentPort === null ? undefined : receiveMessageOnPort(parentPort);
    if (received === undefined) return last;
    last = received.message;
  }
}

/** Makes the first call that the run aims at the one that is disturbed. */
function takeAim(name: CallName, place: string, number: number): void {
  if (aim?.name !== name || !new RegExp(aim.place).test(shownPlace(place))) return;
  Atomics.compareExchange(words, AT.step, 0, number);
}

/** Counts a call, and says whether it is to be disturbed. */
function count({ pid, name }: Question, place: string): boolean {
  const number = Atomics.add(words, AT.count, 1) + 1;
  takeAim(name, place, number);
  const step = Atomics.load(words, AT.step);
  if (number === step || Atomics.load(words, AT.isTraced) === 1) {
    const call = { count: number, name, place: shownPlace(place), program: programOf(pid) };
    parentPort?.postMessage(call satisfies CountedCall);
  }
  if (Atomics.load(words, AT.isWatched) === 1) lookBefore(number);
  if (Atomics.load(words, AT.isLasting) === 0) return number === step;
  return step > 0 && number >= step && !isSpared(name);
}

let look = startLooking(host);

/** The asking program waits for its answer, and every other one at its next such call. */
function lookBefore(number: number): void {
  if (number === 1) look = startLooking(host);
  const view = look(number);
  if (view !== undefined) parentPort?.postMessage(view satisfies View);
}

function handle(question: Question): void {
  const { id, pid } = question;
  const place = countedPlace(question);
  if (place === undefined || !count(question, place)) {
    reply(id, 0);
    return;
  }
  Atomics.add(words, AT.fired, 1);
  const errno = Atomics.load(words, AT.errno);
  // Before a kill there is no answer, so that the call is not made.
  if (errno === 0) killTree(pid);
  else reply(id, errno);
}

while (Atomics.load(words, AT.isOver) === 0) {
  const question = receive();
  if (question !== undefined) handle(question);
}
