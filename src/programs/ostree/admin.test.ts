import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseOstreeReference } from "../../image/reference.ts";
import { formatDictionary } from "../../ostree/objects.ts";
import { formatOrigin, parseOrigin, replaceOriginImage } from "../../ostree/origin.ts";
import { type Context, withSignal } from "../../system/context.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { formatRecord } from "../systemd.ts";
import {
  formatStageArgs,
  setDefaultDeployment,
  setFinalizationLock,
  stageDeployment,
} from "./admin.ts";
import { isAtLeast, parseOstree, readOstree } from "./version.ts";

const request = {
  stateroot: "default",
  commit: "c0ffee",
  origin: "",
  kargs: undefined,
  isLocked: false,
};

test("arguments are inherited unless they are given, each in one word", () => {
  const plain = ["admin", "deploy", "--stage", "--os=default", "--origin-file=/o", "c0ffee"];
  expect(formatStageArgs(request, "/o")).toEqual(plain);
  const given = { ...request, kargs: ["rw", 'x="a b"'], isLocked: true };
  expect(formatStageArgs(given, "/o")).toEqual([
    ...plain.slice(0, 5),
    "--lock-finalization",
    "--karg-none",
    "--karg-append=rw",
    '--karg-append=x="a b"',
    "c0ffee",
  ]);
});

test.each([
  ["libostree:\n Version: '2022.7'\n Git: x", "2022.7"],
  ["libostree:\n Version: 2026.4\n", "2026.4"],
])("%j says version %s", (text, want) => expect(parseOstree(text).version).toBe(want));

test("features are the names in the list", () => {
  const { features } = parseOstree(
    "libostree:\n Version: '2022.7'\n Features:\n  - inode64\n  - gpgme\n",
  );
  expect([...features]).toEqual(["inode64", "gpgme"]);
});

test("ostree is asked once in a run, and again after it did not answer", async () => {
  const { ctx, requireAllUsed } = scriptedContext("/", [
    ["? ostree --version", new Error("interrupted")],
    ["? ostree --version", " Version: '2025.7'\n"],
  ]);
  await expect(readOstree(ctx)).rejects.toThrow("interrupted");
  const of = withSignal(ctx, new AbortController().signal);
  const answers = await Promise.all([readOstree(ctx), readOstree(of), readOstree(ctx)]);
  expect(answers.map((it) => it.version)).toEqual(["2025.7", "2025.7", "2025.7"]);
  requireAllUsed();
});

test.each([
  ["2023.6", "2023.6", true],
  ["2023.10", "2023.6", true],
  ["2023.5", "2023.6", false],
  ["2024.1", "2023.6", true],
  ["2022.7", "2023.6", false],
])("%s is at least %s: %s", (version, wanted, want) => {
  expect(isAtLeast(version, wanted)).toBe(want);
});

const image = parseOstreeReference("ostree-unverified-registry:quay.io/example/os:latest");

test("a new origin is what upstream programs read", () => {
  expect(formatOrigin(image)).toBe(
    "[origin]\ncontainer-image-reference=ostree-unverified-registry:quay.io/example/os:latest\n",
  );
  expect(parseOrigin(formatOrigin(image)).image).toEqual(image);
});

test("another image replaces a branch, and all else stays", () => {
  const text = "[origin]\nrefspec=a:b\ncustom-url=x\n\n[libostree-transient]\npinned=true\n";
  const replaced = replaceOriginImage(text, image);
  expect(replaced).toContain("custom-url=x\n");
  expect(parseOrigin(replaced)).toEqual({
    image,
    refspec: undefined,
    isIncompatible: false,
    isPinned: true,
    isHotfix: false,
  });
});

test.each(["rpmostree", "packages", "overrides", "modules"])(
  "the group %s is rpm-ostree's",
  (group) => {
    expect(parseOrigin(`[origin]\n[${group}]\n`).isIncompatible).toBe(true);
  },
);

test("a journal record is a field a line, and no value can add one", () => {
  const fields = { BOOTC_X: "a\nMESSAGE_ID=b" };
  expect(formatRecord({ messageId: "m", message: "text", fields })).toBe(
    "MESSAGE_ID=m\nMESSAGE=text\nPRIORITY=6\nSYSLOG_IDENTIFIER=bootc\nBOOTC_X=a MESSAGE_ID=b\n",
  );
});

describe("a soft reboot that was prepared is taken back", () => {
  const RESET = "+ nsenter --target=1 --mount -- ostree admin prepare-soft-reboot --reset";

  /** Plays `change` on a host where one was prepared. */
  async function play(
    scriptOf: (staged: string) => readonly ScriptLine[],
    change: (ctx: Context) => Promise<void>,
  ): Promise<void> {
    const root = await mkdtemp(join(tmpdir(), "admin-"));
    onTestFinished(() => rm(root, { recursive: true }));
    const run = join(root, "run/ostree");
    await mkdir(run, { recursive: true });
    const prepared = join(run, "nextroot-booted");
    await writeFile(prepared, "");
    const reset: ScriptLine = [RESET, () => rm(prepared)];
    const script = [...scriptOf(join(run, "staged-deployment")), reset];
    const { ctx, requireAllUsed } = scriptedContext(root, script);
    await change(ctx);
    requireAllUsed();
  }

  const commit = "c0ffee00".repeat(8);
  const stagedFile = formatDictionary([
    [
      "target",
      {
        type: "a{sv}",
        value: [
          ["name", { type: "s", value: `${commit}.0` }],
          ["osname", { type: "s", value: "default" }],
          ["bootcsum", { type: "s", value: "0".repeat(64) }],
        ],
      },
    ],
  ]);

  test("when something else is staged", async () => {
    const deploy = `+ ostree admin deploy --stage --os=default --origin-file=TMP/origin ${commit}`;
    await play(
      (staged) => [[deploy, () => writeFile(staged, stagedFile)]],
      (ctx) => stageDeployment(ctx, { ...request, commit }),
    );
  });

  test("when another deployment is to boot next", async () => {
    await play(
      () => [["+ ostree admin set-default 1"]],
      (ctx) => setDefaultDeployment(ctx, 1),
    );
  });

  test("when what is staged is not to be applied", async () => {
    await play(
      (staged) => [
        ["? ostree --version", " Version: '2025.7'\n"],
        [
          "+ ostree admin lock-finalization",
          async () => {
            await writeFile(staged, stagedFile);
            await writeFile(`${staged}-locked`, "");
          },
        ],
      ],
      (ctx) => setFinalizationLock(ctx, "locked"),
    );
  });
});
