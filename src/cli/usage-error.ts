// What the parser complains of, as an error of ours: a line that says what is wrong, and a hint.
import { BootcError } from "../errors.ts";
import { findCommand, fullNameOf } from "./asked-command.ts";
import type { AnyCommand } from "./commander.ts";

/** `words` are those that were parsed: they name the command whose help the hint points to. */
export function usageError(
  text: string,
  program: AnyCommand,
  words: readonly string[],
): BootcError {
  const [, said = "", meant] =
    /^(?:error: )?(.*?)\.?(?:\n\(Did you mean (.+)\?\))?$/s.exec(text) ?? [];
  const { message, advice } = describeInvalidValue(said) ?? {
    message: said.replace(/\. Expected /, ": expected "),
    advice: meant === undefined ? undefined : `did you mean \`${meant}\`?`,
  };
  const help = `see \`${fullNameOf(findCommand(program, words))} --help\``;
  return new BootcError(message, {
    kind: "usage",
    hint: advice === undefined ? help : `${advice} ${help}`,
  });
}

interface Complaint {
  readonly message: string;
  readonly advice: string | undefined;
}

/** Undefined for complaints of other kinds. */
function describeInvalidValue(said: string): Complaint | undefined {
  const { of, value, reason } =
    (
      /^option '(?<of>.*?)' argument '(?<value>.*)' is invalid\. (?<reason>.*)$/s.exec(said) ??
      /^command-argument value '(?<value>.*)' is invalid for argument '(?<of>.*)'\. (?<reason>.*)$/s.exec(
        said,
      )
    )?.groups ?? {};
  if (of === undefined || value === undefined || reason === undefined) return undefined;
  const name = /--[\w-]+/.exec(of)?.[0] ?? `<${of}>`;
  const choices = /^Allowed choices are (.+)$/s.exec(reason)?.[1];
  return {
    message: `\`${value}\` is not a valid value for \`${name}\``,
    advice: choices === undefined ? `${reason};` : `use ${formatChoices(choices.split(", "))};`,
  };
}

/** `a, b or c`. */
function formatChoices(choices: readonly string[]): string {
  const last = choices.at(-1) ?? "";
  return choices.length < 2 ? last : `${choices.slice(0, -1).join(", ")} or ${last}`;
}
