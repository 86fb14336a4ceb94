import { expect, test } from "vitest";
import type { TarEntry } from "./tar-entry.ts";
import { formatHeader, type NewHeader, paddingOf, writeChecksum } from "./tar-header.ts";
import { createTarFilter, type Verdict } from "./tar-reader.ts";

const END = Buffer.alloc(1024);

interface Options extends Partial<Omit<NewHeader, "records">> {
  readonly flag?: string;
  readonly records?: Readonly<Record<string, string>>;
  readonly content?: string | Buffer;
}

/** An entry as the product writes it; then as the options say. */
function entry(name: string, { flag, records = {}, content = "", ...more }: Options = {}): Buffer {
  const body = Buffer.from(content);
  const header = formatHeader({
    type: "file",
    name,
    linkName: "",
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: body.length,
    ...more,
    records: Object.entries(records).map(([key, value]) => [key, Buffer.from(value)]),
  });
  const block = header.subarray(-512);
  if (flag !== undefined) block.write(flag, 156, "latin1");
  writeChecksum(block);
  return Buffer.concat([header, body, Buffer.alloc(paddingOf(body.length))]);
}

const KEEP_OR_DROP = (it: TarEntry): Verdict => ({ kind: it.plainBlock ? "keep" : "drop" });

/** The entries of a tar that comes in pieces of `size` bytes. */
function entriesOf(tar: Buffer, size = tar.length): readonly TarEntry[] {
  const entries: TarEntry[] = [];
  const filter = createTarFilter((it) => {
    entries.push(it);
    return KEEP_OR_DROP(it);
  });
  for (let at = 0; at < tar.length; at += size) filter.feed(tar.subarray(at, at + size));
  filter.end();
  return entries;
}

test.each([0o777, 0o755, 0])("a symbolic link has the mode 0777, not %o", (mode) => {
  const tar = Buffer.concat([entry("a", { type: "symlink", linkName: "b", mode }), END]);
  const [link] = entriesOf(tar);
  expect(link).toMatchObject({ type: "symlink", linkPath: "b", mode: 0o777 });
  expect(link?.plainBlock !== undefined).toBe(mode === 0o777);
});
