import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BootcError } from "../src/errors.ts";
import { type ScriptLine, scriptedContext } from "../src/testing/scripted-context.ts";
import { task } from "./ci.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "bootc-ci-"));
  for (const folder of ["tests", "hostile"]) {
    mkdirSync(join(top, "target", folder), { recursive: true });
    writeFileSync(join(top, "target", folder, "left.json"), "{}");
  }
});
afterEach(() => rmSync(top, { recursive: true }));

type Answer = NonNullable<ScriptLine[1]>;

const node = (words: string, answer: Answer = ""): ScriptLine => [
  `+ ${process.execPath} xtask/run.cjs ${words} --yes`,
  answer,
];
const settings: Answer = ({ env }) =>
  expect(env).toEqual({ NODE_ENV: "production", npm_config_loglevel: "verbose" });

function steps(lint?: Answer, tests: Answer = settings): readonly ScriptLine[] {
  return [
    node("setup --tests"),
    node("lint", lint),
    ["+ npm run xtask -- package-srpm --yes", settings],
    ["+ npm test -- --yes", tests],
    node("hostile-inputs --tars 200 --documents 50"),
    node("crash-states --anew --recording ext4 --count 300"),
    node("crash-states --boot --anew --recording ext4 --count 3"),
    node("copr emulate"),
    node("test vm --filter core"),
  ];
}

async function runCi(script: readonly ScriptLine[], options = {}, mayInstall = true) {
  const scripted = scriptedContext(top, script);
  const tree = { ctx: scripted.ctx, top, mayInstall };
  const error = await task.run(tree, options, []).then(
    () => undefined,
    (it: unknown) => it as BootcError,
  );
  scripted.requireAllUsed();
  return error;
}

test("every step runs, after the results of an earlier run are gone", async () => {
  expect(await runCi(steps())).toBeUndefined();
  for (const folder of ["tests", "hostile"])
    expect(existsSync(join(top, "target", folder))).toBe(false);
});

test("a step that fails stops no other one, and fails the whole", async () => {
  const broken = new BootcError("broken");
  const error = await runCi(steps(broken, broken));
  expect(error?.message).toBe(
    "2 of 9 steps failed: node xtask/run.cjs lint --yes; " +
      "env NODE_ENV=production npm_config_loglevel=verbose npm test -- --yes",
  );
});

test("an interruption stops at once", async () => {
  const interrupt = new AbortController();
  const { ctx, transcript } = scriptedContext(top, [
    node("setup --tests", () => {
      interrupt.abort(new BootcError("interrupted"));
      throw new BootcError("ended by a signal");
    }),
  ]);
  const tree = { ctx: { ...ctx, signal: interrupt.signal }, top, mayInstall: true };
  await expect(task.run(tree, {}, [])).rejects.toThrow("interrupted");
  expect(transcript()).not.toContain("lint");
});

test("some steps alone leave the results of others, and install nothing without leave", async () => {
  const script: readonly ScriptLine[] = [[`+ ${process.execPath} xtask/run.cjs copr emulate`]];
  expect(await runCi(script, { only: "emulate" }, false)).toBeUndefined();
  expect(existsSync(join(top, "target/tests/left.json"))).toBe(true);
  expect((await runCi([], { only: "nothing" }))?.kind).toBe("usage");
});

test("a dry run prints the commands alone", async () => {
  const { ctx } = scriptedContext(top, []);
  const lines = await task.run({ ctx, top, mayInstall: true }, { dryRun: true }, []);
  expect(lines?.split("\n")).toHaveLength(9);
  expect(existsSync(join(top, "target/tests/left.json"))).toBe(true);
});

test("the two commands of the README are among the steps", async () => {
  const { ctx } = scriptedContext(top, []);
  const lines = await task.run({ ctx, top, mayInstall: true }, { dryRun: true }, []);
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  const commands = [...readme.matchAll(/^ {4}(npm .* --yes)(?= )/gm)].map(([, it]) => it ?? "");
  const [source, tests] = commands;
  expect([source, tests]).toEqual(["npm run xtask -- package-srpm --yes", "npm test -- --yes"]);
  for (const command of [source, tests]) expect(lines).toContain(` ${command}\n`);
});
