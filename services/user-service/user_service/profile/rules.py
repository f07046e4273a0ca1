"""Problems of changes to the caller's account, and the form of telephone numbers."""

from __future__ import annotations

from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, format_number, is_possible_number, parse

from chassis.problems import InvalidRequest, Problem

EXAMPLE = "+49 221 123456"


class WrongPassword(Problem):
    """Not a 401: the token is valid, and the client must ask for the password, not for a new token."""

    status, code, error = 403, "wrong_password", "wrong password"


class InvalidPhone(InvalidRequest):
    def __init__(self, fault: str) -> None:
        super().__init__(f"phone: {fault}", errors=[{"member": "phone", "code": "phone", "message": fault}])


def is_number(phone: str) -> bool:
    """Return whether the text is a telephone number, of whatever country."""
    try:
        parse(phone)
    except NumberParseException as fault:
        return bool(fault.error_type == NumberParseException.INVALID_COUNTRY_CODE)
    return True


def has_country_code(phone: str) -> bool:
    return _parse(phone, None) is not None


def international_phone(phone: str, country: str | None) -> str:
    """Return the number as it is dialled from everywhere; a national number is of `country`."""
    number = _parse(phone, None) or _parse(phone, country)
    if number is None and country:
        raise InvalidPhone(f"is not a telephone number such as {EXAMPLE}")
    if number is None:
        raise InvalidPhone(f"begin with the country's code, as in {EXAMPLE}, or give an address")
    if not is_possible_number(number):
        raise InvalidPhone(f"has too few or too many digits for its country; an example is {EXAMPLE}")
    return format_number(number, PhoneNumberFormat.INTERNATIONAL)


def _parse(phone: str, country: str | None) -> PhoneNumber | None:
    try:
        return parse(phone, country)
    except NumberParseException:
        return None
