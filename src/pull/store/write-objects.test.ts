import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createScratch } from "../../repository/scratch.ts";
import { createObjectWriter } from "./write-objects.ts";

let repo: string;

beforeEach(() => {
  repo = mkdtempSync(join(tmpdir(), "bootc-reserve-"));
});
afterEach(() => rmSync(repo, { recursive: true }));

/** Writes one small file where so much has to stay free. */
async function writeBeside(reserveBytes: number): Promise<void> {
  const scratch = await createScratch(repo, "bare");
  const writer = createObjectWriter({ scratch, shared: repo, reserveBytes });
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const file = writer.file({ ...owner, mode: 0o644, xattrs: [], sizeBytes: 4 });
  file.write(Buffer.from("some"));
  file.end();
  await writer.settle();
}

test("what ostree keeps free stays free: nothing is written beyond it", async () => {
  const { blocks, bsize } = statfsSync(repo);
  await expect(writeBeside(blocks * bsize)).rejects.toMatchObject({
    kind: "space",
    message: expect.stringContaining("min-free-space"),
  });
});

test("where nothing has to stay free, the room that is there is used", async () => {
  await writeBeside(0);
});
