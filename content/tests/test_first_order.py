from content import names
from emails.models import EmailSend
from hogsend.authoring import days


def test_the_first_order_is_thanked_for_with_its_numbers(ada):
    ada.does(names.ORDER_COMPLETED, cds=2, dollars=29.33)

    assert ada.mails == ["first-order"]
    text = EmailSend.objects.get().text
    assert "29.33" in text


def test_the_second_order_gets_no_mail_and_the_journey_ends_after_two_weeks(ada):
    ada.does(names.ORDER_COMPLETED, cds=2, dollars=29.33)
    ada.does(names.ORDER_COMPLETED, cds=1, dollars=9.5)

    ada.waits(days(14))

    assert ada.mails == ["first-order"]
    assert ada.status("first-order") == "completed"
