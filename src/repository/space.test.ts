import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeFileRepository } from "../testing/stored-image.ts";
import { decideReserve, requireSpace } from "./space.ts";

const core = (line: string) => `[core]\nrepo_version=1\nmode=bare\n${line}\n`;
const image = "docker://quay.io/example/os";

test("an image that fits is not refused", async () => {
  const { repo } = await makeFileRepository();
  await writeFile(join(repo, "config"), core("min-free-space-percent=0"));
  await requireSpace(repo, { image, requiredBytes: 1 });
});

test("an image that is larger than the disk is refused", async () => {
  const { repo } = await makeFileRepository();
  const refused = requireSpace(repo, { image, requiredBytes: 2 ** 60 });
  await expect(refused).rejects.toMatchObject({
    kind: "space",
    message: expect.stringMatching(/^Insufficient free space for docker:\S+ \(available: .+\)$/),
  });
});

test("what ostree keeps free is not there for an image", async () => {
  const { repo } = await makeFileRepository();
  await writeFile(join(repo, "config"), core("min-free-space-size=1000000TB"));
  const refused = requireSpace(repo, { image, requiredBytes: 1 });
  await expect(refused).rejects.toThrow(/\(available: 0 bytes required: 1 byte\)$/);
});

test.each([
  { line: "", bytes: 30 },
  { line: "min-free-space-percent=0", bytes: 0 },
  { line: "min-free-space-percent=50", bytes: 500 },
  { line: "min-free-space-percent=half", bytes: 30 },
  { line: "min-free-space-size=2MB", bytes: 2 << 20 },
  { line: "min-free-space-size=1GB", bytes: 1 << 30 },
  { line: "min-free-space-size=3TB", bytes: 3 * 2 ** 40 },
  { line: "min-free-space-size=much", bytes: 30 },
  { line: "min-free-space-size=1MB\nmin-free-space-percent=50", bytes: 1 << 20 },
])("of 1000 bytes ostree keeps $bytes free with `$line`", ({ line, bytes }) => {
  expect(decideReserve(core(line), { sizeBytes: 1000 })).toBe(bytes);
});
