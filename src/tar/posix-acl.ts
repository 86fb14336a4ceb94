// The access list of a file (`system.posix_acl_access`) as the kernel gives it back beside the file's mode.
// Format: <linux/posix_acl_xattr.h>.
import { damagedTar } from "./header.ts";

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const NO_ID = 0xffff_ffff;

const OWNER = 0x01;
const USER = 0x02;
const GROUP_OF_FILE = 0x04;
const GROUP = 0x08;
const MASK = 0x10;
const OTHER = 0x20;

/** Entries come in this order. */
const ORDER = [OWNER, USER, GROUP_OF_FILE, GROUP, MASK, OTHER];
const NAMED = new Set([USER, GROUP]);

interface Entry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/**
 * Undefined when the mode says everything: the kernel stores no list then. Of owner, group and others the
 * permissions are those of the mode, in whatever order mode and list were set.
 */
export function storedAccessList(value: Uint8Array, mode: number): Buffer | undefined {
  const entries = parse(Buffer.from(value));
  const hasMask = entries.some(({ tag }) => tag === MASK);
  if (!hasMask && !entries.some(({ tag }) => NAMED.has(tag))) return undefined;
  const ofGroup = hasMask ? MASK : GROUP_OF_FILE;
  const shifts = new Map([
    [OWNER, 6],
    [ofGroup, 3],
    [OTHER, 0],
  ]);
  return format(
    entries.map((entry) => {
      const shift = shifts.get(entry.tag);
      return shift === undefined ? entry : { ...entry, permissions: (mode >> shift) & 7 };
    }),
  );
}

function parse(bytes: Buffer): readonly Entry[] {
  const count = (bytes.length - HEADER_BYTES) / ENTRY_BYTES;
  if (!Number.isInteger(count) || count < 3 || bytes.readUInt32LE(0) !== VERSION) throw damaged();
  const entries = Array.from({ length: count }, (_, i): Entry => {
    const at = HEADER_BYTES + ENTRY_BYTES * i;
    const tag = bytes.readUInt16LE(at);
    const id = NAMED.has(tag) ? bytes.readUInt32LE(at + 4) : NO_ID;
    return { tag, permissions: bytes.readUInt16LE(at + 2), id };
  });
  requireValid(entries);
  return entries;
}

/** As the kernel demands it of a list. */
function requireValid(entries: readonly Entry[]): void {
  const tags = entries.map(({ tag }) => tag);
  const count = (tag: number) => tags.filter((it) => it === tag).length;
  const places = tags.map((tag) => ORDER.indexOf(tag));
  const isInOrder = places.every((place, i) => place >= 0 && place >= (places[i - 1] ?? 0));
  const isComplete = [OWNER, GROUP_OF_FILE, OTHER].every((tag) => count(tag) === 1);
  const needsMask = count(USER) + count(GROUP) > 0;
  const hasRightMask = count(MASK) === 1 || (count(MASK) === 0 && !needsMask);
  const hasRightValues = entries.every(
    ({ tag, permissions, id }) => permissions <= 7 && (!NAMED.has(tag) || id !== NO_ID),
  );
  if (!isInOrder || !isComplete || !hasRightMask || !hasRightValues) throw damaged();
}

function damaged() {
  return damagedTar("an access list that cannot be read");
}

function format(entries: readonly Entry[]): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + ENTRY_BYTES * entries.length);
  bytes.writeUInt32LE(VERSION, 0);
  for (const [i, { tag, permissions, id }] of entries.entries()) {
    const at = HEADER_BYTES + ENTRY_BYTES * i;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(permissions, at + 2);
    bytes.writeUInt32LE(id, at + 4);
  }
  return bytes;
}
