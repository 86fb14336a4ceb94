// Commander's classes, with types that know each declared option. The types load no further code.
import type * as typed from "@commander-js/extra-typings";
import { Argument as OwnArgument, Command as OwnCommand, Option as OwnOption } from "commander";

export type {
  Command as CommandOf,
  CommandUnknownOpts as AnyCommand,
  Option as OptionOf,
  OptionValues,
} from "@commander-js/extra-typings";
export { CommanderError, InvalidArgumentError } from "commander";

export type Argument = typed.Argument;
export type Command = typed.Command;
export type Option = typed.Option;

/** The classes themselves are commander's; the package of types only re-exports them. */
const classes = {
  Argument: OwnArgument,
  Command: OwnCommand,
  Option: OwnOption,
} as unknown as Pick<typeof typed, "Argument" | "Command" | "Option">;

export const { Argument, Command, Option } = classes;
