// A pair of connected sockets that keep messages apart and pass open files, as skopeo's image proxy wants it.
//
// Node reads such sockets, but drops the files. The kernel says by a signal that something has arrived, so
// that waiting takes neither a thread nor a timer. The signal is SIGURG, which does nothing without a
// listener. The usual SIGIO would end the process, and execa kills its children when it sees one.
import { closeSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { addressOf, type Library, lastErrno, makeCall, openLibrary, systemError } from "./ffi.ts";

export interface Packet {
  readonly text: string;
  /** Open files that came along; they are the receiver's to close. */
  readonly descriptors: readonly number[];
}

export interface PacketSocket {
  /** EPIPE when the other end is closed. */
  send(text: string): void;
  /** The next packet; undefined when either end is closed. One call at a time. */
  receive(): Promise<Packet | undefined>;
  close(): void;
}

export interface PacketPair {
  readonly ours: PacketSocket;
  /** The descriptor of the other end, for a child. The caller closes it. */
  readonly theirs: number;
}

const FUNCTIONS = {
  socketpair: { arguments: ["i32", "i32", "i32", "buffer"], return: "i32" },
  send: { arguments: ["i32", "buffer", "u64", "i32"], return: "i32" },
  recvmsg: { arguments: ["i32", "buffer", "i32"], return: "i32" },
  // Variadic, which makes no difference for integers on Linux, on x64 or arm64.
  fcntl: { arguments: ["i32", "i32", "i32"], return: "i32" },
} as const;

type Functions = Library<typeof FUNCTIONS>["functions"];

// From the headers of Linux; x64 and arm64 agree.
const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const F_SETFL = 4;
const F_SETOWN = 8;
const F_SETSIG = 10;
const O_NONBLOCK = 0o4000;
const O_ASYNC = 0o20000;
const MSG_CTRUNC = 0x8;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** Undefined when system libraries cannot be called, or in a worker, which receives no signals. */
export function openPacketPair(): PacketPair | undefined {
  if (!isMainThread()) return undefined;
  const c = openLibrary(null, FUNCTIONS)?.functions;
  if (c === undefined) return undefined;
  const pair = new Int32Array(2);
  const how = SOCK_SEQPACKET | SOCK_CLOEXEC;
  requireSuccess(c.socketpair(AF_UNIX, how, 0, new Uint8Array(pair.buffer)), "socketpair");
  const [ours = -1, theirs = -1] = pair;
  return { ours: openSocket(c, ours), theirs };
}

/** Node's own answer comes with a module that takes 4 ms to load. */
function isMainThread(): boolean {
  try {
    const [, processId, threadId] =
      /^(\d+)\/task\/(\d+)$/.exec(readlinkSync("/proc/thread-self")) ?? [];
    return processId !== undefined && processId === threadId;
  } catch {
    // Without /proc nobody knows, and skopeo is started in the usual way.
    return false;
  }
}

function openSocket(c: Functions, fd: number): PacketSocket {
  const message = createMessage();
  let isClosed = false;
  let wake: (() => void) | undefined;
  const onSignal = () => wake?.();
  if (wakes.size === 0) process.on("SIGURG", wakeAll);
  wakes.add(onSignal);
  requireSuccess(c.fcntl(fd, F_SETOWN, process.pid), "fcntl");
  requireSuccess(c.fcntl(fd, F_SETSIG, constants.signals.SIGURG), "fcntl");
  requireSuccess(c.fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC), "fcntl");
  return {
    send(text) {
      const bytes = Buffer.from(text);
      const send = () => c.send(fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL);
      const { status, errno } = makeCall(send);
      if (status < 0) throw systemError(errno, { syscall: "send" });
    },
    async receive() {
      while (!isClosed) {
        const arrived = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const packet = receiveNow(c, fd, message);
        if (packet !== "nothing yet") return packet;
        await arrived;
      }
      return undefined;
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      closeSync(fd);
      wakes.delete(onSignal);
      if (wakes.size === 0) process.off("SIGURG", wakeAll);
      wake?.();
    },
  };
}

const wakes = new Set<() => void>();

function wakeAll(): void {
  for (const wake of wakes) wake();
}

/** What recvmsg fills: `struct msghdr`, its one `struct iovec`, room for control messages and for text. */
interface Message {
  readonly buffer: ArrayBuffer;
  readonly header: Uint8Array;
  readonly view: DataView;
}

const IOVEC = 56;
const CONTROL = 72;
const CONTROL_BYTES = 128;
const TEXT = CONTROL + CONTROL_BYTES;
/** skopeo sends no larger packets. */
const TEXT_BYTES = 32 * 1024;

function createMessage(): Message {
  const buffer = new ArrayBuffer(TEXT + TEXT_BYTES);
  return { buffer, header: new Uint8Array(buffer, 0, IOVEC), view: new DataView(buffer) };
}

function receiveNow(
  c: Functions,
  fd: number,
  { buffer, header, view }: Message,
): Packet | "nothing yet" | undefined {
  const address = addressOf(buffer);
  header.fill(0);
  view.setBigUint64(16, address + BigInt(IOVEC), true); // msg_iov
  view.setBigUint64(24, 1n, true); // msg_iovlen
  view.setBigUint64(32, address + BigInt(CONTROL), true); // msg_control
  view.setBigUint64(40, BigInt(CONTROL_BYTES), true); // msg_controllen
  view.setBigUint64(IOVEC, address + BigInt(TEXT), true); // iov_base
  view.setBigUint64(IOVEC + 8, BigInt(TEXT_BYTES), true); // iov_len
  const receive = () => c.recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  const { status: length, errno } = makeCall(receive);
  if (length < 0) {
    const { EAGAIN, EINTR, ECONNRESET } = constants.errno;
    if (errno === EAGAIN || errno === EINTR) return "nothing yet";
    // The other end was closed with packets of ours unread.
    if (errno === ECONNRESET) return undefined;
    throw systemError(errno, { syscall: "recvmsg" });
  }
  const descriptors = readDescriptors(view);
  if (length === 0) return undefined;
  if ((view.getInt32(48, true) & (MSG_TRUNC | MSG_CTRUNC)) !== 0) {
    for (const it of descriptors) closeSync(it);
    throw systemError(constants.errno.EMSGSIZE, { syscall: "recvmsg" });
  }
  return { text: Buffer.from(buffer, TEXT, length).toString("utf8"), descriptors };
}

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;

/** A `struct cmsghdr` has its length, header included, its level and its type; the descriptors follow. */
function readDescriptors(view: DataView): readonly number[] {
  const descriptors: number[] = [];
  const end = CONTROL + Number(view.getBigUint64(40, true));
  for (let at = CONTROL; at + 16 <= end; ) {
    const length = Number(view.getBigUint64(at, true));
    if (length < 16 || at + length > end) break;
    const isRights =
      view.getInt32(at + 8, true) === SOL_SOCKET && view.getInt32(at + 12, true) === SCM_RIGHTS;
    for (let place = at + 16; isRights && place + 4 <= at + length; place += 4) {
      descriptors.push(view.getInt32(place, true));
    }
    at += Math.ceil(length / 8) * 8;
  }
  return descriptors;
}

function requireSuccess(status: number, syscall: string): void {
  if (status < 0) throw systemError(lastErrno(), { syscall });
}
