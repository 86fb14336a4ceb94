// A sample of the steps of `xtask fault-steps`, among them those at which something was wrong once.
import { existsSync } from "node:fs";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { detachBelow } from "../crash/file-systems.ts";
import type { CallName } from "../faults/calls.ts";
import { type RemoteStand, startStand } from "../faults/stands.ts";
import type { Kind } from "../faults/steps.ts";
import { attempt, sh } from "../vm/shell.ts";
import { missing } from "./simulated-boot.ts";

const reason = process.arch === "x64" ? missing : "needs x86-64";
const loopReason = reason ?? (existsSync("/dev/loop-control") ? undefined : "needs loop devices");
const inWords = (it: string | undefined) => (it === undefined ? "" : ` (${it})`);

interface Wanted {
  readonly kind: Kind;
  readonly name: CallName;
  /** The first call there. */
  readonly place: RegExp;
  readonly status: number | null;
}

const SAMPLE: readonly { readonly scenario: string; readonly steps: readonly Wanted[] }[] = [
  {
    scenario: "pull",
    steps: [
      // Node's `mkdir` with `recursive` would say ENOENT.
      { kind: "EDQUOT", name: "mkdir", place: /repo\/objects\/..$/, status: 8 },
      { kind: "EIO", name: "mkdir", place: /extensions\/bootc$/, status: 1 },
      // Node's `rmSync` would not say what it is, and that looks like a defect of ours.
      { kind: "EIO", name: "rmdir", place: /tmp\/bootc-pull-/, status: 1 },
      // The words of another program, after marks at commits that never come.
      { kind: "ENOSPC", name: "syncfs", place: /repo\/tmp\//, status: 8 },
      { kind: "kill", name: "rename", place: /refs\/heads\//, status: null },
    ],
  },
  {
    scenario: "upgrade",
    steps: [
      // Staged, but nobody was told, and nothing was removed.
      { kind: "kill", name: "linkat", place: /ostree\/\d\/\d\/tmp/, status: null },
    ],
  },
  {
    scenario: "rollback",
    steps: [
      // The order has changed, and a second run would change it back.
      { kind: "EIO", name: "fsync", place: /repo\/objects\/..$/, status: 0 },
    ],
  },
];

const title = `$scenario${inWords(reason)}`;
describe.skipIf(reason !== undefined).each(SAMPLE)(title, ({ scenario, steps }) => {
  let stand: RemoteStand;
  beforeAll(async () => {
    stand = await startStand(scenario);
  }, 120_000);
  afterAll(() => stand?.close());

  test.each(steps)(
    "$kind at $name of $place",
    async ({ kind, name, place, status }) => {
      const aim = { name, place: place.source };
      const tried = await stand.try({ scenario, kind, number: 0, aim });
      expect(tried).toMatchObject({ fired: 1, call: name, status, problems: [] });
    },
    120_000,
  );
});

const ATTACH = ["losetup", "--find", "--show"];

test.skipIf(loopReason !== undefined).each([
  { who: "this process", program: ATTACH },
  // The kernel has lost the path by then.
  { who: "a mount namespace", program: ["unshare", "--mount", ...ATTACH] },
])(
  `clean-up detaches loop devices whose files are in a folder that $who left${inWords(loopReason)}`,
  async ({ program: [program = "", ...words] }) => {
    const dir = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "bootc-loop-"));
    let device: string | undefined;
    try {
      const disk = join(dir, "disk.img");
      await writeFile(disk, "");
      await truncate(disk, 1 << 20);
      device = (await sh(program, [...words, disk])).trim();
      await detachBelow(dir);
      const devices = await sh("losetup", ["--list", "--noheadings", "--output", "NAME"]);
      expect(devices.split(/\s+/)).not.toContain(device);
      device = undefined;
    } finally {
      if (device !== undefined) await attempt("losetup", ["--detach", device]);
      await rm(dir, { recursive: true });
    }
  },
);
