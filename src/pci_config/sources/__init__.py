"""Where configuration items come from: files of AWS Config, or an account's own APIs."""
