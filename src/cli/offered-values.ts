// Options with a list of usual values, which help and completion show, and a meaning decided elsewhere.
import { Option } from "commander";
import { TRANSPORTS } from "../image/reference.ts";

/** Shows `values` for `option`, and takes others as well: whoever reads the value knows more spellings. */
export function offering(option: Option, values: readonly string[]): Option {
  return option.choices(values).argParser((value: string) => value);
}

/** Also understood are `docker`, and a transport with the colon that ends it in a reference. */
export function transportOption(flags: string, description: string): Option {
  return offering(new Option(flags, description), TRANSPORTS);
}
