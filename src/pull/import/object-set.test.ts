import { describe, expect, test } from "vitest";
import { BootcError } from "../../errors.ts";
import { sha256 } from "../../ostree/objects.ts";
import { formatHeader, paddingOf } from "../../tar/header.ts";
import { readTar } from "../../tar/reader.ts";
import { newObjectSet, objectEntries, type TakeMetadata } from "./object-set.ts";

const MEGABYTE = 1 << 20;

/** The attribute record that `content` is, as chunks have it. */
function record(content: Buffer): Buffer {
  const name = sha256(content);
  return object(`${name.slice(0, 2)}/${name.slice(2)}.file-xattrs`, content);
}

function object(name: string, content: Buffer): Buffer {
  const header = formatHeader({
    type: "file",
    name: `sysroot/ostree/repo/objects/${name}`,
    linkName: "",
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: content.length,
    records: [],
  });
  return Buffer.concat([header, content, Buffer.alloc(paddingOf(content.length))]);
}

async function* piecesOf(parts: Iterable<Buffer>): AsyncGenerator<Buffer> {
  for (const part of parts) yield part;
}

async function failureOf(
  parts: Iterable<Buffer>,
  { takeMetadata }: { readonly takeMetadata?: TakeMetadata } = {},
): Promise<unknown> {
  const items = readTar(piecesOf(parts), { needsEndMarker: false });
  const set = newObjectSet({ repo: "unused", takeMetadata });
  try {
    for await (const { type } of objectEntries(set, items)) expect(type).toBe("directory");
  } catch (error) {
    expect(error).toBeInstanceOf(BootcError);
    return error;
  }
  return undefined;
}

describe("attribute records have a limit", () => {
  function* records(count: number): Generator<Buffer> {
    for (let i = 0; i < count; i++) yield record(Buffer.alloc(MEGABYTE, `${i} `));
  }

  test("64 MiB together", async () => {
    expect(await failureOf(records(64))).toBeUndefined();
    expect(await failureOf(records(65))).toMatchObject({
      kind: "integrity",
      message: "the layer's tar has too many attribute records",
    });
  });

  test("1 MiB each", async () => {
    expect(await failureOf([record(Buffer.alloc(MEGABYTE + 1))])).toMatchObject({
      kind: "integrity",
      message: "the layer's tar has a too large attribute record",
    });
  });
});

test("a metadata object of more than 10 MiB is refused before its content is taken", async () => {
  let taken = 0;
  const packed = object(`${"a".repeat(2)}/${"a".repeat(62)}.commit`, Buffer.alloc((10 << 20) + 1));
  function* parts(): Generator<Buffer> {
    for (; taken < packed.length; taken += MEGABYTE) yield packed.subarray(taken, taken + MEGABYTE);
  }
  const failure = await failureOf(parts(), { takeMetadata: () => expect.unreachable() });
  expect(failure).toMatchObject({
    kind: "integrity",
    message: "the layer's tar has an object of 10485761 bytes",
  });
  expect(taken).toBeLessThan(2 * MEGABYTE);
});

test("an attribute record that is not what its name says is refused", async () => {
  const other = Buffer.from("other");
  const name = sha256(Buffer.from("this"));
  expect(
    await failureOf([object(`${name.slice(0, 2)}/${name.slice(2)}.file-xattrs`, other)]),
  ).toMatchObject({
    kind: "integrity",
    message: expect.stringContaining("damaged attribute record"),
  });
});
