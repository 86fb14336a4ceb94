import { expect, test } from "vitest";
import { Command } from "./commander.ts";
import { declared, deploySettingsOf, repositoryPullOf, withPullOptions } from "./options.ts";

test("an option that no command declares does not compile", () => {
  const command = new Command().option("--download-only").option("--tag <tag>");
  command.parse(["--tag", "42"], { from: "user" });
  const options = command.opts();
  const known: { readonly downloadOnly?: boolean; readonly tag?: string } = declared(options);
  // @ts-expect-error the command has no `--download-onlyx`
  const renamed: { readonly downloadOnlyx?: boolean; readonly tag?: string } = declared(options);
  // @ts-expect-error the value of `--tag` is text
  const mistaken: { readonly tag?: number } = declared(options);
  expect([known, renamed, mistaken]).toEqual([{ tag: "42" }, { tag: "42" }, { tag: "42" }]);
});

test("seconds of a command line are milliseconds of a pull", () => {
  const command = withPullOptions(new Command().option("--quiet"));
  const limits = ["--lock-timeout", "0", "--stall-timeout", "1.5", "--give-up-after", "20"];
  command.parse(limits, { from: "user" });
  expect(repositoryPullOf({ ...command.opts(), authAnonymous: true })).toEqual({
    access: { isAnonymous: true },
    lockTimeoutMs: 0,
    limits: { stallMs: 1500, giveUpMs: 20_000 },
    isQuiet: false,
  });
});

test.each([{ quiet: true }, { json: true }])("%j shows no progress", (flags) => {
  expect(deploySettingsOf({ ...flags, progressFd: 3 })).toMatchObject({
    isQuiet: true,
    progressFd: 3,
    limits: {},
  });
});
