import { expect, test } from "vitest";
import { type AnyCommand, Argument, Command, Option } from "../../cli/commander.ts";
import { documentCommand } from "./dump-cli-json.ts";

test("what is visible is listed with the keys of bootc 1.x", () => {
  const program: AnyCommand = new Command("demo")
    .description("do it")
    .version("1", "-V, --version");
  program
    .command("run")
    .addArgument(new Argument("<image>", "which"))
    .argument("[more...]")
    .addOption(new Option("-m, --mode-of <some-mode>", "how").choices(["x", "y"]).default("x"))
    .addOption(new Option("--to <file>", "where").makeOptionMandatory())
    .option("--quiet", "say less")
    .addOption(new Option("--secret", "never shown").hideHelp());
  program.command("hidden", { hidden: true });
  const plain = { default: null, possible_values: [], required: false };
  expect(documentCommand(program)).toEqual({
    name: "demo",
    about: "do it",
    options: [],
    positionals: [],
    subcommands: [
      {
        name: "run",
        about: null,
        options: [
          {
            long: "mode-of",
            short: "m",
            value_name: "SOME_MODE",
            default: "x",
            help: "how",
            possible_values: ["x", "y"],
            required: false,
            is_boolean: false,
          },
          {
            ...plain,
            long: "to",
            short: null,
            value_name: "FILE",
            help: "where",
            required: true,
            is_boolean: false,
          },
          {
            ...plain,
            long: "quiet",
            short: null,
            value_name: null,
            help: "say less",
            is_boolean: true,
          },
        ],
        positionals: [
          { name: "image", help: "which", required: true, multiple: false },
          { name: "more", help: null, required: false, multiple: true },
        ],
        subcommands: [],
      },
    ],
  });
});
