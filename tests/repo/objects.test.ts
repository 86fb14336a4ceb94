import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatDirtree, parseDirtree } from "../../src/ostree/dirtree.ts";
import {
  formatCommit,
  formatDirmeta,
  objectPath,
  parseCommit,
  parseDirmeta,
  sha256,
} from "../../src/ostree/objects.ts";
import { contentChecksum } from "../../src/testing/objects.ts";
import { dir, file, makeTar, symlink, type TestEntry } from "./images/tar-writer.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import { createTestRepo, importBlob, rootsOf, type TestRepo } from "./test-repo.ts";

const REWRITE = {
  commit: (it: Buffer) => formatCommit(parseCommit(it)),
  dirtree: (it: Buffer) => formatDirtree(parseDirtree(it)),
  dirmeta: (it: Buffer) => formatDirmeta(parseDirmeta(it)),
};

const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
  .filter((it) => !/[/\0]/.test(it) && it !== "." && it !== ".." && Buffer.byteLength(it) < 256);
const xattrs = fc.dictionary(
  fc.stringMatching(/^user\.[a-z]{1,8}$/),
  fc.string({ minLength: 1, maxLength: 300 }),
  {
    maxKeys: 3,
  },
);
const owner = { uid: fc.nat(4_000_000_000), gid: fc.nat(3_000_000), mode: fc.nat(0o7777) };
/** A directory of files and links with any names, owners and attributes. */
const folder = fc.record({
  ...owner,
  xattrs,
  files: fc.uniqueArray(
    fc.record({ name, ...owner, xattrs, content: fc.string({ maxLength: 600 }) }),
    {
      selector: (it) => it.name,
      maxLength: 20,
    },
  ),
  link: fc.record({ uid: owner.uid, gid: owner.gid, target: name }),
});

function bytesOf(values: Record<string, string>) {
  return Object.entries(values).map(([name, value]) => ({ name, value: Buffer.from(value) }));
}

describe.each(ostreeVersions())("with ostree $version", (ostree) => {
  let it: TestRepo;
  beforeAll(() => {
    it = createTestRepo(ostree);
  });
  afterAll(() => it.remove());

  test("for any directory, our objects are those of ostree", async () => {
    await fc.assert(
      fc.asyncProperty(folder, async ({ files, link, ...meta }) => {
        const kept = files.filter((file) => file.name !== "a link");
        const entries: readonly TestEntry[] = [
          dir(".", meta),
          ...kept.map(({ name, content, ...more }) => file(name, content, more)),
          symlink("a link", link.target, link),
        ];
        // Everything is one level down, because special toplevel names are placed elsewhere.
        const moved = [
          dir("."),
          ...entries.map((entry) => ({ ...entry, path: join("usr", entry.path) })),
        ];
        const { commit } = await importBlob(it, makeTar(moved));
        const objects = [
          ...kept.map((file) => ({
            name: file.name,
            checksum: contentChecksum(
              {
                ...file,
                mode: 0o100000 | file.mode,
                symlinkTarget: "",
                xattrs: bytesOf(file.xattrs),
              },
              Buffer.from(file.content),
            ),
          })),
          {
            name: "a link",
            checksum: contentChecksum(
              { ...link, mode: 0o120777, symlinkTarget: link.target, xattrs: [] },
              Buffer.alloc(0),
            ),
          },
        ];
        const inner = formatDirtree({ files: objects, dirs: [] });
        const innerMeta = formatDirmeta({
          ...meta,
          mode: 0o40000 | meta.mode,
          xattrs: bytesOf(meta.xattrs),
        });
        const root = formatDirtree({
          files: [],
          dirs: [{ name: "usr", tree: sha256(inner), meta: sha256(innerMeta) }],
        });
        const rootMeta = formatDirmeta({ uid: 0, gid: 0, mode: 0o40755, xattrs: [] });
        expect(rootsOf(it, commit)).toEqual([sha256(root), sha256(rootMeta)]);
      }),
      { numRuns: 25, seed: 3 },
    );
  });

  test("every metadata object ostree wrote is read and written back byte for byte", () => {
    let count = 0;
    for (const folder of readdirSync(join(it.repo, "objects"))) {
      for (const entry of readdirSync(join(it.repo, "objects", folder))) {
        const [, rest = "", kind = ""] =
          /^([0-9a-f]{62})\.(commit|dirtree|dirmeta)$/.exec(entry) ?? [];
        if (kind === "") continue;
        const checksum = folder + rest;
        const bytes = readFileSync(
          join(it.repo, objectPath(checksum, kind as keyof typeof REWRITE)),
        );
        expect(sha256(REWRITE[kind as keyof typeof REWRITE](bytes))).toBe(checksum);
        count++;
      }
    }
    expect(count).toBeGreaterThan(75);
  });
});
