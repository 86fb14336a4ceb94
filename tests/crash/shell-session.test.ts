import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ShellSession, startSession } from "./shell-session.ts";

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)(`a shell that stays${isRoot ? "" : " (needs root)"}`, () => {
  let session: ShellSession;
  beforeAll(() => {
    session = startSession("three() { echo one; echo; printf two; return 3; }");
  });
  afterAll(async () => {
    await session.end();
  });

  test.each<[string, number, readonly string[]]>([
    ["echo a b", 0, ["a b"]],
    ["three", 3, ["one", "two"]],
    ["false; echo later", 1, []],
    ["if false; then echo no; fi; exit 7", 7, []],
    ["trap 'echo left' EXIT; three", 3, ["one", "twoleft"]],
  ])("%s", async (command, status, lines) => {
    expect(await session.run(command)).toEqual({ status, lines });
  });
});
