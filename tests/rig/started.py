# SPDX-License-Identifier: GPL-2.0-or-later
"""What is started on entering and closed on leaving, also when its start fails half-way."""


class Started:
    """Context manager: start() and close() are its subclass's; close() can be called in any state."""

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()
