import { expect, test } from "vitest";
import { withSignal } from "../../system/context.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { isAtLeast, parseOstree, readOstree } from "./version.ts";

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

test("ostree is asked once per run, and again after a failure", async () => {
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
