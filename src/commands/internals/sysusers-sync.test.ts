import { spawnSync } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createContext } from "../../system/run.ts";
import { layOutFiles } from "../../testing/lay-out-files.ts";
import { sysusersSync } from "./sysusers-sync.ts";

test("sysusers-sync drops entries of unknown users and keeps the mode", async () => {
  const root = await layOutFiles({
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "usr/lib/passwd": "systemd-network:x:998:998::/:/bin/false\n",
    "etc/shadow": "root:*:1::\ngone:!:1::\nsystemd-network:!:1::\n",
    "etc/gshadow": "root:*::\n",
    "etc/group": "root:x:0:\n",
  });
  const before = await stat(join(root, "etc/gshadow"));
  await sysusersSync(createContext({ root }));
  expect(await readFile(join(root, "etc/shadow"), "utf8")).toBe(
    "root:*:1::\nsystemd-network:!:1::\n",
  );
  expect((await stat(join(root, "etc/shadow"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(root, "etc/gshadow"))).ino).toBe(before.ino);
  expect((await readdir(join(root, "etc"))).sort()).toEqual([
    "group",
    "gshadow",
    "passwd",
    "shadow",
  ]);
});

test("sysusers-sync leaves the file alone while another program holds its lock", async () => {
  const shadow = "gone:!:1::\n";
  const root = await layOutFiles({
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "etc/shadow": shadow,
    "etc/shadow.lock": "1",
  });
  await expect(sysusersSync(createContext({ root }))).rejects.toMatchObject({ kind: "busy" });
  expect(await readFile(join(root, "etc/shadow"), "utf8")).toBe(shadow);
});

test.each([
  ["whose process is gone", () => `${deadPid()}\0`],
  ["with the number that this process happens to have", () => `${process.pid}\0`],
  ["cut short before it had a number", () => ""],
  ["with something else in it", () => "useradd\n"],
  ["with a number no process can have", () => "99999999999999999999\0"],
])("sysusers-sync takes over a lock %s", async (_about, content) => {
  const root = await layOutFiles({
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "etc/shadow": "root:*:1::\ngone:!:1::\n",
    "etc/shadow.lock": content(),
  });
  await sysusersSync(createContext({ root }));
  expect(await readFile(join(root, "etc/shadow"), "utf8")).toBe("root:*:1::\n");
  expect(await readdir(join(root, "etc"))).toEqual(["passwd", "shadow"]);
});

/** The number of a process that has ended. */
function deadPid(): number {
  return spawnSync("true").pid;
}
