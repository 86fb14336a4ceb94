import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createContext } from "../../system/run.ts";
import { layOutFiles } from "../../testing/lay-out-files.ts";
import { fixupEtcFstab } from "./fixup-etc-fstab.ts";

test("fixup-etc-fstab adds `ro` once", async () => {
  const root = await layOutFiles({ "etc/fstab": "UUID=1 / xfs defaults 0 0\n" });
  await fixupEtcFstab(createContext({ root }));
  const mended = await readFile(join(root, "etc/fstab"), "utf8");
  expect(mended).toContain("UUID=1 / xfs defaults,ro 0 0");
  await fixupEtcFstab(createContext({ root }));
  expect(await readFile(join(root, "etc/fstab"), "utf8")).toBe(mended);
});
