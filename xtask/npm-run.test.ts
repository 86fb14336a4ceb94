import { Command } from "commander";
import { expect, test } from "vitest";
import { requireNothingSwallowed } from "./npm-run.ts";

const verb = new Command("xtask").command("copr").command("apply").option("--dry-run", "x");
const npm = { npm_command: "run-script", npm_lifecycle_event: "xtask" };

test("an option that npm took is told with the whole command", () => {
  const env = { ...npm, npm_config_dry_run: "true" };
  expect(() => requireNothingSwallowed(env, verb)).toThrow("npm kept `--dry-run` for itself");
  try {
    requireNothingSwallowed(env, verb);
  } catch (error) {
    expect(error).toMatchObject({
      kind: "usage",
      hint: "put two dashes in front: npm run xtask -- copr apply --dry-run",
    });
  }
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
])("$what is told", ({ env, command, hint }) => {
  expect(() => requireNothingSwallowed(env, command)).toThrow(
    expect.objectContaining({ kind: "usage", hint }),
  );
});

test.each([
  ["what npm exports anyway", { ...npm, npm_config_cache: "/x" }],
  ["an option that was not given", { ...npm, npm_config_dry_run: "" }],
  ["no npm at all", { npm_config_dry_run: "true" }],
])("%s is fine", (_what, env) => {
  expect(() => requireNothingSwallowed(env, verb)).not.toThrow();
});
