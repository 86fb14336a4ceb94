import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { Command } from "../src/cli/commander.ts";
import { isOnPath } from "./checks/requirements.ts";
import { requireNothingSwallowed } from "./npm-run.ts";

const verb = new Command("xtask").command("copr").command("apply").option("--dry-run", "x");
const npm = { npm_command: "run-script", npm_lifecycle_event: "xtask" };

/** An npm that nothing is configured for. */
const nothing = async () => undefined;

test("an option that npm took is reported with the whole command", async () => {
  const env = { ...npm, npm_config_dry_run: "true" };
  await expect(requireNothingSwallowed(env, verb, nothing)).rejects.toMatchObject({
    message: "npm kept `--dry-run` for itself",
    kind: "usage",
    hint: "put two dashes in front: npm run xtask -- copr apply --dry-run",
  });
});

test.each([
  {
    what: "an option whose value npm let go",
    env: { ...npm, npm_config_arch: "true" },
    command: new Command("xtask").command("build").option("--arch <arch>", "x"),
    hint: "put two dashes in front: npm run xtask -- build --arch <arch>",
  },
  {
    what: "an option that switches something off",
    env: { ...npm, npm_config_runtime_text: "" },
    command: new Command("xtask").command("licenses").option("--no-runtime-text", "x"),
    hint: "put two dashes in front: npm run xtask -- licenses --no-runtime-text",
  },
  {
    what: "an option of `npm test`",
    env: { npm_command: "test", npm_lifecycle_event: "test", npm_config_filter: "true" },
    command: new Command("xtask").command("test").option("--filter <text>", "x"),
    hint: "put two dashes in front: npm test -- --filter <text>",
  },
])("$what is reported", async ({ env, command, hint }) => {
  const work = requireNothingSwallowed(env, command, nothing);
  await expect(work).rejects.toMatchObject({ kind: "usage", hint });
});

test.each([
  ["what npm exports anyway", { ...npm, npm_config_cache: "/x" }],
  ["an option that was not given", { ...npm, npm_config_dry_run: "" }],
  ["no npm at all", { npm_config_dry_run: "true" }],
])("%s is fine", async (_what, env) => {
  await requireNothingSwallowed(env, verb, nothing);
});

test.each([
  { option: "--yes", setting: "yes", env: { npm_config_yes: "true" }, own: "true" },
  { option: "--verbose", setting: "loglevel", env: { npm_config_loglevel: "verbose" } },
  { option: "--no-audit", setting: "audit", env: { npm_config_audit: "" }, own: "false" },
])("npm's own `$setting` is not taken for $option", async ({ option, setting, env, own }) => {
  const command = new Command("xtask").command("lint").option(option, "x");
  const asked: string[] = [];
  const readOwn = async (it: string) => {
    asked.push(it);
    return own ?? "verbose";
  };
  await requireNothingSwallowed({ ...npm, ...env }, command, readOwn);
  expect(asked).toEqual([setting]);
});

describe.skipIf(!isOnPath(process.env, "npm"))("asked of npm itself", () => {
  // npm takes a second to start, and many on a busy machine.
  vi.setConfig({ testTimeout: 120_000 });
  const scratch = mkdtempSync(join(tmpdir(), "npm-run-test-"));
  afterAll(() => rmSync(scratch, { recursive: true }));

  /** `npm run xtask OPTIONS` of a task that has --yes, --verbose and --dry-run; the error's first line. */
  function npmRun(options: readonly string[], env: NodeJS.ProcessEnv): string {
    const here = (name: string) => JSON.stringify(join(import.meta.dirname, name));
    const script = `import { Command } from ${JSON.stringify(import.meta.resolve("commander"))};
      import { createContext } from ${here("../src/system/run.ts")};
      import { readOwnOf, requireNothingSwallowed } from ${here("npm-run.ts")};
      const command = new Command("xtask").command("x");
      for (const it of ["--yes", "--verbose", "--dry-run"]) command.option(it, "x");
      const tree = { ctx: createContext(), top: process.cwd() };
      await requireNothingSwallowed(process.env, command, readOwnOf(tree)).then(
        () => console.log("fine"),
        (it) => console.log(it.message),
      );`;
    writeFileSync(join(scratch, "x.ts"), script);
    const scripts = { xtask: `"${process.execPath}" x.ts` };
    writeFileSync(join(scratch, "package.json"), JSON.stringify({ type: "module", scripts }));
    writeFileSync(join(scratch, "npmrc"), "yes=true\n");
    const ran = spawnSync("npm", ["run", "--silent", "xtask", ...options], {
      cwd: scratch,
      encoding: "utf8",
      env: { PATH: process.env.PATH, HOME: scratch, ...env },
    });
    return ran.stdout.trim() || ran.stderr;
  }

  test.each([
    { what: "nothing", options: [], env: {}, want: "fine" },
    {
      what: "variables",
      options: [],
      env: { npm_config_dry_run: "true", NPM_CONFIG_YES: "true" },
      want: "fine",
    },
    {
      what: "a file",
      options: [],
      env: { npm_config_userconfig: join(scratch, "npmrc") },
      want: "fine",
    },
    {
      what: "an option beside a file",
      options: ["--dry-run"],
      env: { npm_config_userconfig: join(scratch, "npmrc") },
      want: "npm kept `--dry-run` for itself",
    },
    { what: "an option", options: ["--yes"], env: {}, want: "npm kept `--yes` for itself" },
  ])("$what: $want", ({ options, env, want }) => {
    expect(npmRun(options, env)).toBe(want);
  });

  test("a log level from the environment", () => {
    const env = { npm_config_loglevel: "verbose" };
    // Without --silent, which would be another level.
    expect(npmRun(["--loglevel=verbose"], env)).toContain("fine");
    expect(npmRun(["--verbose"], {})).toContain("npm kept `--verbose` for itself");
  });
});
