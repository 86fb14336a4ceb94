// Damages archives: bits, fields, blocks, extended headers, ends. Each mutation says what it did.
import { randomBytes } from "../repo/images/random.ts";
import {
  BLOCK,
  FIELDS,
  type Field,
  findHeaders,
  type PaxRecord,
  type Place,
  padded,
  pax,
  paxBody,
  readPax,
  repairChecksum,
  write,
} from "./tar-blocks.ts";

export type Random = (limit: number) => number;

export interface Mutant {
  readonly bytes: Buffer;
  /** What was done, in order. */
  readonly done: readonly string[];
}

/** Changes a copy; undefined when the mutation does not apply. */
type Mutation = (tar: Buffer, random: Random) => readonly [Buffer, string] | undefined;

const MUTATIONS: readonly Mutation[] = [
  flipBits,
  flipHeaderBits,
  editField,
  editField,
  editField,
  editPax,
  editPax,
  insertPax,
  cut,
  duplicateBlocks,
  removeBlocks,
  swapBlocks,
  insertBlock,
  moveEntry,
  appendAfterEnd,
];

/** Damages a copy of `tar` in one to three ways. */
export function mutateTar(tar: Buffer, random: Random): Mutant {
  let bytes = tar;
  const done: string[] = [];
  // An archive with a single damage is read furthest.
  const count = pick([1, 1, 1, 2, 3], random);
  // Not every mutation applies to every archive, but appending always does.
  while (done.length < count) {
    const made = pick(MUTATIONS, random)(Buffer.from(bytes), random);
    if (made === undefined) continue;
    bytes = made[0];
    done.push(made[1]);
  }
  return { bytes, done };
}

/** Damage to a blob as stored, whatever is in it. */
export function mutateBytes(bytes: Buffer, random: Random): Mutant {
  const [made, what] = pick([flipBits, cut, appendAfterEnd, overwrite], random)(
    Buffer.from(bytes),
    random,
  ) ?? [bytes, "nothing"];
  return { bytes: made, done: [what] };
}

export function pick<T>(list: readonly T[], random: Random): T {
  return list[random(list.length)] as T;
}

function flipBits(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  if (tar.length === 0) return undefined;
  const places = Array.from({ length: 1 + random(4) }, () => random(tar.length * 8));
  for (const it of places) tar[it >> 3] = (tar[it >> 3] ?? 0) ^ (1 << (it & 7));
  return [tar, `flipped bits ${places}`];
}

function overwrite(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  if (tar.length < 2) return undefined;
  const at = random(tar.length - 1);
  const bytes = randomBytes(random, Math.min(1 + random(16), tar.length - at));
  bytes.copy(tar, at);
  return [tar, `wrote ${bytes.length} bytes at ${at}`];
}

function flipHeaderBits(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  const header = pickHeader(tar, random);
  if (header === undefined) return undefined;
  const block = blockAt(tar, header);
  const places = Array.from({ length: 1 + random(6) }, () => random(BLOCK * 8));
  for (const it of places) block[it >> 3] = (block[it >> 3] ?? 0) ^ (1 << (it & 7));
  repairChecksum(block);
  return [tar, `flipped bits ${places} of the header at ${header.at}`];
}

const NAMES = [
  "",
  "/",
  ".",
  "..",
  "./",
  "../../etc/passwd",
  "/etc/passwd",
  "usr/../../x",
  "usr//lib///x",
  "usr/lib/.",
  "usr/.wh.lib",
  "usr/.wh.",
  "usr/.wh..wh.x",
  ".wh..wh..opq",
  "usr/\u0001\u001b[31mred",
  "usr/a\nb",
  "usr/\u{1f4a9}",
  "usr/lib/modules/1/vmlinuz",
  "sysroot/ostree/repo/objects/ab/cd.file",
  "etc",
  "lib",
  "usr",
  "x".repeat(155),
];

const NUMBERS = [
  "",
  "0000000\0",
  "00000000001\0",
  "77777777777\0",
  "777777777777",
  "-0000001\0",
  "9999999\0",
  "0x10\0",
  "   12 \0",
  "\0\0\0\x001",
  "1e5\0",
];

const BINARY_NUMBERS = [
  Buffer.alloc(12, 0xff),
  Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0xff)]),
  Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11)]),
  Buffer.concat([Buffer.from([0xc0]), Buffer.alloc(11)]),
  Buffer.from("800000000000000000000001", "hex"),
  Buffer.from("8000000000000000ffffffff", "hex"),
];

const TYPES = [..."01234567ABDEIKLMNSVXZgx\0 ~"];

function editField(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  const header = pickHeader(tar, random);
  if (header === undefined) return undefined;
  const block = blockAt(tar, header);
  const field = pick(Object.keys(FIELDS) as Field[], random);
  const value = valueFor(field, random);
  write(block, field, value);
  const isRepaired = field !== "checksum" && random(12) > 0;
  if (isRepaired) repairChecksum(block);
  const shown = JSON.stringify(Buffer.from(value as string).toString("latin1"));
  return [
    tar,
    `${field} of the header at ${header.at} is ${shown}${isRepaired ? "" : ", not summed"}`,
  ];
}

function valueFor(field: Field, random: Random): Buffer | string {
  if (random(8) === 0) return randomBytes(random, FIELDS[field][1]);
  switch (field) {
    case "name":
    case "link":
    case "prefix":
    case "user":
    case "group":
      return random(6) === 0 ? Buffer.from([0x75, 0xff, 0xfe, 0x2f, 0xc3]) : pick(NAMES, random);
    case "type":
      return pick(TYPES, random);
    case "magic":
      return pick(["ustar\x0000", "ustar  \0", "", "ustar\x0099", "USTAR\x0000", "tar\0"], random);
    case "mode":
    case "uid":
    case "gid":
    case "size":
    case "mtime":
    case "checksum":
    case "major":
    case "minor":
      return random(3) === 0 ? pick(BINARY_NUMBERS, random) : pick(NUMBERS, random);
  }
}

const KEYS = [
  "path",
  "linkpath",
  "size",
  "uid",
  "gid",
  "mtime",
  "hdrcharset",
  "comment",
  "GNU.sparse.major",
  "GNU.sparse.minor",
  "GNU.sparse.realsize",
  "GNU.sparse.size",
  "GNU.sparse.map",
  "GNU.sparse.name",
  "GNU.sparse.numblocks",
  "GNU.sparse.offset",
  "SCHILY.xattr.security.selinux",
  "SCHILY.xattr.security.capability",
  "SCHILY.xattr.user.a",
  "SCHILY.xattr.",
  "SCHILY.xattr.user.",
  "SCHILY.xattr.system.posix_acl_access",
  "SCHILY.xattr.nonsense",
  "SCHILY.realsize",
  "LIBARCHIVE.xattr.user.b%3Dc",
  "LIBARCHIVE.xattr.user.%zz",
  "RHT.security.selinux",
  "",
  "\u0000",
];

function valueOfKey(key: string, random: Random): Buffer | string {
  const numbers = [
    "",
    "0",
    "-1",
    "007",
    "1.5",
    "1e9",
    "99999999999999999999",
    "18446744073709551615",
  ];
  const texts = [...NAMES, ...numbers, "BINARY", "ISO-IR 10646 2000 UTF-8", "=\n=", "a\0b"];
  if (key === "size" || key.startsWith("GNU.sparse")) {
    const maps = ["0,1,2", "0,512,1048576,100", "1,-1", ",", "0,99999999999999999"];
    return pick([...numbers, ...maps], random);
  }
  switch (random(10)) {
    case 0:
      return randomBytes(random, random(80));
    case 1:
      return "v".repeat(pick([300, 5000, 70_000], random));
    default:
      return pick(texts, random);
  }
}

function editPax(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  const extended = findHeaders(tar).filter((it) => it.type === "x" || it.type === "g");
  if (extended.length === 0) return undefined;
  const place = pick(extended, random);
  const content = { from: place.at + BLOCK, to: place.at + BLOCK + place.sizeBytes };
  const body = tar.subarray(content.from, content.to);
  // Sometimes damage its bytes instead of its records: wrong lengths, unterminated keys.
  if (random(3) === 0) {
    const { bytes, done } = mutateBytes(body, random);
    return [spliceContent(tar, place, bytes), `extended header at ${place.at}: ${done}`];
  }
  const [records, what] = editRecords(readPax(body), random);
  return [spliceContent(tar, place, paxBody(records)), `extended header at ${place.at}: ${what}`];
}

function editRecords(
  records: readonly PaxRecord[],
  random: Random,
): readonly [readonly PaxRecord[], string] {
  const at = random(Math.max(1, records.length));
  const [oldKey = "path", oldValue = ""] = records[at] ?? [];
  const key = random(2) === 0 ? oldKey : pick(KEYS, random);
  const value = valueOfKey(key, random);
  const shown = `${JSON.stringify(key)}=${JSON.stringify(
    Buffer.from(value as string)
      .toString("latin1")
      .slice(0, 40),
  )}`;
  switch (random(5)) {
    case 0:
      return [records.toSpliced(at, 1), `without ${JSON.stringify(oldKey)}`];
    case 1:
      return [records.toSpliced(at, 0, [oldKey, oldValue]), `twice ${JSON.stringify(oldKey)}`];
    case 2:
      return [records.toSpliced(at, 0, [key, value]), `with ${shown}`];
    default:
      return [records.toSpliced(at, 1, [key, value]), `${shown} for ${JSON.stringify(oldKey)}`];
  }
}

/** The archive with other content for an entry, and the correct size in its header. */
function spliceContent(tar: Buffer, place: Place, content: Buffer): Buffer {
  const header = blockAt(tar, place);
  write(header, "size", content.length.toString(8).padStart(11, "0"));
  repairChecksum(header);
  const end = place.at + BLOCK + Math.ceil(place.sizeBytes / BLOCK) * BLOCK;
  return Buffer.concat([tar.subarray(0, place.at + BLOCK), padded(content), tar.subarray(end)]);
}

function insertPax(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  const header = pickHeader(tar, random);
  if (header === undefined) return undefined;
  const keys = Array.from({ length: 1 + random(3) }, () => pick(KEYS, random));
  const type = random(4) === 0 ? "g" : "x";
  const made = pax(
    keys.map((key) => [key, valueOfKey(key, random)]),
    type,
  );
  return [
    Buffer.concat([tar.subarray(0, header.at), made, tar.subarray(header.at)]),
    `inserted ${type} with ${JSON.stringify(keys)} at ${header.at}`,
  ];
}

function cut(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  if (tar.length === 0) return undefined;
  const isWhole = random(2) === 0;
  const length = isWhole ? random(Math.ceil(tar.length / BLOCK)) * BLOCK : random(tar.length);
  return [tar.subarray(0, length), `cut after ${length} of ${tar.length} bytes`];
}

function duplicateBlocks(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  const run = pickRun(tar, random);
  if (run === undefined) return undefined;
  const parts = [tar.subarray(0, run.to), tar.subarray(run.from, run.to), tar.subarray(run.to)];
  return [Buffer.concat(parts), `bytes ${run.from} to ${run.to} twice`];
}

function removeBlocks(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  const run = pickRun(tar, random);
  if (run === undefined) return undefined;
  const parts = [tar.subarray(0, run.from), tar.subarray(run.to)];
  return [Buffer.concat(parts), `without bytes ${run.from} to ${run.to}`];
}

function swapBlocks(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  const blocks = Math.floor(tar.length / BLOCK);
  if (blocks < 2) return undefined;
  const [a, b] = [random(blocks) * BLOCK, random(blocks) * BLOCK];
  const held = Buffer.from(tar.subarray(a, a + BLOCK));
  tar.copy(tar, a, b, b + BLOCK);
  held.copy(tar, b);
  return [tar, `swapped the blocks at ${a} and ${b}`];
}

function insertBlock(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  const at = random(Math.floor(tar.length / BLOCK) + 1) * BLOCK;
  const isZero = random(2) === 0;
  const block = isZero ? Buffer.alloc(BLOCK) : randomBytes(random, BLOCK);
  return [
    Buffer.concat([tar.subarray(0, at), block, tar.subarray(at)]),
    `a block of ${isZero ? "zeros" : "noise"} at ${at}`,
  ];
}

function moveEntry(tar: Buffer, random: Random): readonly [Buffer, string] | undefined {
  const places = findHeaders(tar);
  if (places.length < 2) return undefined;
  const from = random(places.length);
  const start = places[from]?.at ?? 0;
  const end = places[from + 1]?.at ?? start + BLOCK;
  const rest = Buffer.concat([tar.subarray(0, start), tar.subarray(end)]);
  const to = pick(findHeaders(rest), random)?.at ?? 0;
  const parts = [rest.subarray(0, to), tar.subarray(start, end), rest.subarray(to)];
  return [Buffer.concat(parts), `moved the entry at ${start} to ${to}`];
}

function appendAfterEnd(tar: Buffer, random: Random): readonly [Buffer, string] {
  const more = pick(
    [Buffer.alloc(1), Buffer.alloc(BLOCK * 20), Buffer.from("garbage"), randomBytes(random, 700)],
    random,
  );
  return [Buffer.concat([tar, more]), `${more.length} bytes after the end`];
}

function pickHeader(tar: Buffer, random: Random): Place | undefined {
  const places = findHeaders(tar);
  return places.length === 0 ? undefined : pick(places, random);
}

function blockAt(tar: Buffer, { at }: Place): Buffer {
  return tar.subarray(at, at + BLOCK);
}

function pickRun(tar: Buffer, random: Random) {
  const blocks = Math.floor(tar.length / BLOCK);
  if (blocks === 0) return undefined;
  const first = random(blocks);
  const from = first * BLOCK;
  return { from, to: Math.min(tar.length, from + (1 + random(3)) * BLOCK) };
}
