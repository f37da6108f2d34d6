# تقارير التغييرات. ما يلي الشرطة في المعرّف هو كلمة الصيغة التي يقولها.

# الأوقات والمدد
month-1 = يناير
month-2 = فبراير
month-3 = مارس
month-4 = أبريل
month-5 = مايو
month-6 = يونيو
month-7 = يوليو
month-8 = أغسطس
month-9 = سبتمبر
month-10 = أكتوبر
month-11 = نوفمبر
month-12 = ديسمبر
day = ‏{ $day } { $month } { $year }
moment = { $day }، الساعة { $time } بالتوقيت العالمي
unit-microseconds = { $number } م.ث.
unit-milliseconds = { $number } ملي ث
unit-seconds = { $number } ث
unit-minutes = { $number } د
unit-hours = { $number } س
yes = نعم
no = لا

# الصدر
report-title = تقرير التغييرات: { $name }
report-kind = تقرير التغييرات
scope-whole = السلسلة كلها، من أول قيد إلى أحدثه
scope-period = من { $from } إلى { $until }، بما فيهما (بالتوقيت العالمي)
scope-from = ابتداءً من { $from } (بالتوقيت العالمي)
scope-until = حتى { $until } ضمنًا (بالتوقيت العالمي)
scope-release = الإصدار البرمجي { $release }
scope-entries = القيود من { $first } إلى { $last }
verdict-verified = تم التحقق: لا خلل، ولا قيد مفقود
verdict-incomplete = غير مكتمل: في هذا النطاق قيود لا تُقرأ
verdict-findings = { $count ->
    [zero] لم يثبت التحقق: لا ملاحظات
    [one] لم يثبت التحقق: ملاحظة واحدة
    [two] لم يثبت التحقق: ملاحظتان
    [few] لم يثبت التحقق: { $count } ملاحظات
    [many] لم يثبت التحقق: { $count } ملاحظة
   *[other] لم يثبت التحقق: { $count } ملاحظة
}
population-counted = { $expected ->
    [zero] القيود من { $first } إلى { $last }: قُرئ { $read } من { $expected }.
    [one] القيد { $first }: قُرئ { $read } من قيد واحد.
    [two] القيدان { $first } و{ $last }: قُرئ { $read } من قيدين.
    [few] القيود من { $first } إلى { $last }: قُرئ { $read } من { $expected } قيود.
    [many] القيود من { $first } إلى { $last }: قُرئ { $read } من { $expected } قيدًا.
   *[other] القيود من { $first } إلى { $last }: قُرئ { $read } من { $expected } قيد.
}
population-empty = لا قيد من السلسلة في هذا النطاق.
fact-chain = السلسلة
fact-head = الرأس
fact-manifest = البيان
fact-merkle = جذر ميركل
tree-of = { $count ->
    [zero] بلا قيود
    [one] للقيد الأول
    [two] لأول قيدين
    [few] لأول { $count } قيود
    [many] لأول { $count } قيدًا
   *[other] لأول { $count } قيد
}
fact-date = تاريخ التقرير
date-given = حدده من أعدّ التقرير
date-of-head = وقت أحدث قيد
fact-not-before = أحدث قيد ليس قبل
fact-not-after = … وليس بعد
fact-program = حرّره
nobody-else = لا يقول ذلك إلا الموقّعون
clock-signers = بساعة من يوقّعون السلسلة
clock-authority = بشهادة سلطة الختم الزمني { $name }
clock-witness = بشهادة الشاهد { $name }

# الأرقام
heading-summary = لمحة
tile-entries = { $count ->
    [zero] قيود في النطاق
    [one] قيد في النطاق
    [two] قيدان في النطاق
    [few] قيود في النطاق
    [many] قيدًا في النطاق
   *[other] قيد في النطاق
}
tile-changes = { $count ->
    [zero] تغييرات منها
    [one] تغيير منها
    [two] تغييران منها
    [few] تغييرات منها
    [many] تغييرًا منها
   *[other] تغيير منها
}
tile-succeeded = { $count ->
    [zero] تغييرات نجحت
    [one] تغيير نجح
    [two] تغييران نجحا
    [few] تغييرات نجحت
    [many] تغييرًا نجحت
   *[other] تغيير نجحت
}
tile-failed = { $count ->
    [zero] تغييرات فشلت
    [one] تغيير فشل
    [two] تغييران فشلا
    [few] تغييرات فشلت
    [many] تغييرًا فشلت
   *[other] تغيير فشلت
}
tile-rolled-back = { $count ->
    [zero] تغييرات تُراجع عنها لاحقًا
    [one] تغيير تُراجع عنه لاحقًا
    [two] تغييران تُراجع عنهما لاحقًا
    [few] تغييرات تُراجع عنها لاحقًا
    [many] تغييرًا تُراجع عنها لاحقًا
   *[other] تغيير تُراجع عنها لاحقًا
}
tile-approvals = تغييرات بالموافقات اللازمة لها
tile-unplanned = { $count ->
    [zero] تغييرات نُفّذت بلا خطة
    [one] تغيير نُفّذ بلا خطة
    [two] تغييران نُفّذا بلا خطة
    [few] تغييرات نُفّذت بلا خطة
    [many] تغييرًا نُفّذت بلا خطة
   *[other] تغيير نُفّذت بلا خطة
}
tile-abandoned = { $count ->
    [zero] خطط تُخُلّي عنها
    [one] خطة تُخُلّي عنها
    [two] خطتان تُخُلّي عنهما
    [few] خطط تُخُلّي عنها
    [many] خطة تُخُلّي عنها
   *[other] خطة تُخُلّي عنها
}
tile-waivers = { $count ->
    [zero] استثناءات من القواعد
    [one] استثناء من قاعدة
    [two] استثناءان من القواعد
    [few] استثناءات من القواعد
    [many] استثناءً من القواعد
   *[other] استثناء من القواعد
}
tile-drifts = { $count ->
    [zero] تعديلات للمخطط خارج السلسلة
    [one] تعديل للمخطط خارج السلسلة
    [two] تعديلان للمخطط خارج السلسلة
    [few] تعديلات للمخطط خارج السلسلة
    [many] تعديلًا للمخطط خارج السلسلة
   *[other] تعديل للمخطط خارج السلسلة
}
tile-median = المدة الوسيطة للتغيير
tile-sealed = { $count ->
    [zero] ملفات مختومة، مُحي منها { $erased }
    [one] ملف مختوم، مُحي منها { $erased }
    [two] ملفان مختومان، مُحي منهما { $erased }
    [few] ملفات مختومة، مُحي منها { $erased }
    [many] ملفًا مختومًا، مُحي منها { $erased }
   *[other] ملف مختوم، مُحي منها { $erased }
}

# الصور
heading-pictures = بالصور
picture-timeline = التغييرات عبر الزمن
picture-durations = كم استغرقت التغييرات
picture-durations-under = استغرق نصفها { $median } أو أقل، وتسعة عشر من كل عشرين { $most } أو أقل، وأطولها { $longest }.
picture-drift = المخطط من قيد إلى قيد
picture-copies = النسخ والشهود
drift-same = كما تركه القيد السابق
drift-recorded = عُدّل خارجها وسُجّل هنا
drift-broken = عُدّل خارج السلسلة
drift-unknown = لا بصمة تدل عليه
copies-not-asked = لم تُطلب النسخ: يضيف `--replicas` ما تعرفه عنها الآلة التي تعدّ التقرير.
copies-none = لم تُضبط أي نسخة حيث أُعدّ هذا التقرير.
copies-witnesses = { $count ->
    [zero] لم يوقّع هذا الرأسَ أي شاهد تسميه سياسة.
    [one] وقّع هذا الرأسَ شاهد واحد.
    [two] وقّع هذا الرأسَ شاهدان.
    [few] وقّع هذا الرأسَ { $count } شهود.
    [many] وقّع هذا الرأسَ { $count } شاهدًا.
   *[other] وقّع هذا الرأسَ { $count } شاهد.
}

# المجتمع
heading-population = مجتمع القيود
population-method = لكل قيد في السلسلة رقم، وبيانه يسمّي البيان الذي قبله. والمجتمع هو كل الأرقام من أول قيد في النطاق إلى آخره؛ لا يُنتقى منها شيء.
population-first = أول قيد
population-last = آخر قيد
population-count = القيود المقروءة
population-missing = الأرقام المفقودة
population-none-missing = لا شيء
population-some-missing = مفقودة
population-before = القيد السابق
population-after = القيد التالي
population-begins = لا شيء: تبدأ السلسلة هنا
population-ends = لا شيء: تنتهي السلسلة هنا
population-outside = القيود المائلة تقع بين قيود النطاق وليست منه؛ وتُعدّ لئلا يُغفل أي رقم.
column-entry = القيد
column-finished = النهاية (UTC)
column-event = الحدث
column-version = الإصدار
column-deployer = نفّذه
column-approvals = الموافقات
column-outcome = النتيجة
column-manifest = البيان
row-unreadable = لا يمكن قراءة هذا القيد.
told-sealed = مختوم
told-erased = مختوم، ومُحي لاحقًا
told-nothing = لم يُذكر
outcome = النتيجة
outcome-succeeded = نجح
outcome-failed = فشل
outcome-rolled-back = تُراجع عنه لاحقًا
event-genesis = البداية
event-plan = خطة
event-apply = تطبيق
event-rollback = تراجع
event-fail = فشل
event-baseline = اعتماد
event-stamp = وسم
event-repair = إصلاح
event-attach = مرفق
event-drift = انحراف
event-trust = ثقة
event-erase = محو

# العينة
heading-sample = العينة
sample-method = تُرتَّب التغييرات بحسب SHA-256 للبذرة يليها سطر جديد ثم معرّف البيان CID، وتُسحب الأولى. من عنده البذرة يسحب العينة نفسها.
sample-seed = البذرة
sample-size = المسحوب
sample-drawn = { $count } من { $of }
column-place = الرتبة
column-digest = SHA-256

# البطاقات
heading-changes = التغييرات
changes-all = بطاقة لكل تغيير في النطاق.
changes-sampled = بطاقة لكل تغيير سُحب.
changes-none = لا تغيير في هذا النطاق.
entry-number = القيد { $seq }
sheet-verified = تم التحقق
sheet-findings = ملاحظات
part-what = ماذا
part-why = لماذا، وبأي أثر
part-risk = المخاطر
part-people = من
part-times = متى
part-tests = الاختبار
part-policy = القواعد والاستثناءات
part-back = طريق العودة
part-outcome = النتيجة
what-name = الاسم
what-target = قاعدة البيانات
what-statements = التعليمات
what-no-statements = لم تُذكر
what-rows = { $count ->
    [zero] · بلا صفوف
    [one] · صف واحد
    [two] · صفان
    [few] · { $count } صفوف
    [many] · { $count } صفًا
   *[other] · { $count } صف
}
what-files = الملفات
what-depends = يعتمد على
what-sectors = القطاعات
what-executor = نُفّذ بواسطة
what-evidence = مصدر العلم
what-build = البناء
evidence-executed = نفّذه greffe نفسه
evidence-captured = رُصد وقت حدوثه
evidence-imported-exact = وُجد لاحقًا، وبايتاته ثابتة ببصمة الأداة
evidence-imported-weak = وُجد لاحقًا، وبايتاته غير ثابتة
evidence-bare = وُجد لاحقًا، بلا نص برمجي
file-size = { $count ->
    [zero] بلا بايتات
    [one] بايت واحد
    [two] بايتان
    [few] { $count } بايتات
    [many] { $count } بايتًا
   *[other] { $count } بايت
}
file-approval = موافقة
file-down = نص التراجع
file-evidence = دليل
file-notices = إشعارات
file-output = مخرجات
file-rendered = ما نُفّذ من SQL
file-trust = وثيقة ثقة
file-up = نص برمجي
why-purpose = الغرض
why-impact = الأثر
risk-class = الدرجة
risk-because = السبب
risk-lint = الفحوص
risk-high = مخاطر مرتفعة
risk-medium = مخاطر متوسطة
risk-low = مخاطر منخفضة
risk-unknown = مخاطر غير معروفة
lint-sealed = لم تُسأل: لا نص برمجي مكشوف
lint-nothing = لم تجد شيئًا في النصوص
lint-error = خطأ
lint-warning = تحذير
lint-note = تنبيه
reason-removes = تُحذف صفوف أو أعمدة أو كائنات
reason-rights = تتغير صلاحيات أو حسابات
reason-lint-error = وجد فحص بدرجة «خطأ» شيئًا
reason-changes-rows = تتغير صفوف موجودة
reason-changes-objects = تتغير كائنات موجودة
reason-other-statement = تعليمة من نوع غير معروف
reason-no-transaction = نُفّذ خارج أي معاملة
reason-no-way-back = لا نص برمجي يعيده
reason-lint-warning = وجد فحص بدرجة «تحذير» شيئًا
reason-adds = تُضاف كائنات أو صفوف
reason-nothing-told = لم يُذكر ما نُفّذ
people-author = المؤلف
people-no-plan = غير مسجل: نُفّذ بلا خطة
people-approvers = الموافقون
people-nobody = لا أحد
people-approvals = الموافقات
people-counted = { $counted } من { $needed } لازمة
people-key = المفتاح { $key }
people-deployer = نفّذه
people-another = وافق عليه شخص غير المؤلف والمنفّذ
people-same = نفّذه مؤلفه
people-plan = الخطة
times-started = بدأ
times-finished = انتهى
times-took = استغرق
times-server = ساعة الخادم
times-source = الساعة
clock-runner = ساعة الآلة التي نفّذته، موقّعة بمفتاحها
tests-promoted = نُفّذ قبلها في
tests-not-promoted = لم تُسمَّ سلسلة أخرى
tests-hooks = الخطاطيف
tests-no-hooks = لم يُسأل أي منها
hook-allow = سمح
hook-warn = سمح مع تحذير
hook-deny = رفض
hook-other = جواب آخر
policy-packs = حزم القواعد
policy-rules = القواعد
policy-none = لم تكن أي حزمة قواعد سارية
policy-waivers = الاستثناءات
waivers-none = لا شيء
waiver-until = حتى { $day }
rule-kept = مرعية
rule-attested = مشهود بها
rule-waived = مستثناة
rule-broken = مخالفة
rule-attestation-required = تلزمها شهادة
rule-not-applicable = لا محل لها هنا
rule-other = حكم آخر
back-says = كما هو موثق
back-script = النص البرمجي
back-script-there = مؤرشف
back-script-none = لا شيء مؤرشف
back-by = تراجع عنه
back-reverts = يتراجع عن
outcome-error = الخطأ
outcome-statement = التعليمة { $statement }
schema-before = المخطط قبل
schema-after = المخطط بعد
schema-continuity = المخطط
proof-keys = وقّعه المفتاح
proof-command = لعرضه على غيرك

# قيود أخرى
heading-others = قيود أخرى
others-method = قيود من المجتمع لا تغيّر مخططًا ولا صفوفًا: خطط ومفاتيح ومحو ومرفقات.
others-none = لا يوجد شيء منها.
column-by = بواسطة
column-what = ماذا
other-plans = تخطط لـ { $versions }.
other-trust = وثيقة الثقة، الإصدار { $version }.
other-erases = { $count ->
    [zero] لا يمحو أي كتلة، على أساس { $basis }.
    [one] يمحو كتلة مختومة واحدة، على أساس { $basis }.
    [two] يمحو كتلتين مختومتين، على أساس { $basis }.
    [few] يمحو { $count } كتل مختومة، على أساس { $basis }.
    [many] يمحو { $count } كتلة مختومة، على أساس { $basis }.
   *[other] يمحو { $count } كتلة مختومة، على أساس { $basis }.
}
other-about = بشأن القيود { $entries }.

# الملاحظات
heading-findings = الملاحظات
findings-none = لم يجد التحقق من السلسلة كلها شيئًا.
column-code = الرمز
column-established = ما ثبت
column-holds = قائم
established-intact = كل بايت ورابط وخطوة كما يجب أن تكون
established-signed = التوقيعات تستوفي وثائق الثقة السارية
established-complete = كانت كل الكتل موجودة
established-anchored = السلسلة مما قيل للمدقق أن يثق به
established-witnessed = رأى شهود السلسلة نفسها
established-timestamped = رأت سلطة ختم زمني هذا الرأس

# المتطلبات
heading-controls = أين تجيب هذه الصفحة عما يُطلب من التغييرات
controls-method = للمدققين، بعباراتنا؛ والعبرة بنصوص الأطر نفسها.
column-asked = المطلوب
column-where = هنا
column-reference = المرجع
control-reason = يُكتب ما تغيّر ولماذا
control-reason-where = «ماذا» و«لماذا، وبأي أثر» في كل بطاقة
control-impact = يُنظر في الأثر والمخاطر
control-impact-where = «لماذا، وبأي أثر» و«المخاطر»
control-approval = يوافق عليه مخوّل قبل تنفيذه
control-approval-where = «من»: الموافقات توقيعات على الخطة يعيد هذا التقرير عدّها
control-tests = يُجرَّب قبل ذلك
control-tests-where = «الاختبار» و«القواعد والاستثناءات»
control-back = يمكن الرجوع عنه أو معالجة فشله
control-back-where = «طريق العودة» و«النتيجة»
control-duties = المؤلف والموافق والمنفّذ ليسوا شخصًا واحدًا
control-duties-where = «من»
control-complete = السجل كامل وغير معدّل
control-complete-where = «مجتمع القيود» و«الملاحظات»
control-exceptions = الاستثناءات مبررة ولها نهاية
control-exceptions-where = «القواعد والاستثناءات»، والتغييرات الفاشلة أو غير المخططة

# الأوامر
heading-commands = تحقق من هذه الصفحة
commands-method = باستعمال greffe والسلسلة؛ لا شيء هنا يلزم تصديقه.
command-verify = للتحقق من السلسلة كلها:
command-again = لإعداد هذه الصفحة من جديد؛ وهي مطابقة بايتًا ببايت:
command-again-without-copies = لإعداد هذه الصفحة من جديد، ما عدا ما يُعرف هنا عن النسخ:
command-json = الحقائق نفسها بيانات:
command-sample = للتحقق من رتبة في العينة بمعرّف بيانها CID:

# الحدود
heading-limits = ما لا تقوله هذه الصفحة
limit-names = من وراء الاسم المستعار. تعرفه خزنة مالك السلسلة، ويُسأل عنه المالك.
limit-approvals = هل نظر الموافق فعلًا. الموافقة توقيع على الخطة التي نُفّذت بعينها.
limit-tests = الاختبارات خارج السلسلة، ما لم تُسمَّ سلسلة تجريبية أو خطّاف.
limit-clocks = متى حدث ذلك، أبعد من قول من نفّذه، إلا بين الحدين المذكورين في الصدر.
limit-risk = هل كانت المخاطر مقبولة. الدرجات تتبع قواعد ثابتة على أنواع التعليمات وما يجده `greffe lint`.
limit-later = ما جاء بعد الرأس المذكور في الصدر. يُطلب أحدث رأس ممن يحفظ السلسلة أو يشهد عليها.
limit-details = تفاصيل الملاحظات بالإنجليزية، كرموز الأرشيف نفسها.
footer = حرّره { $program } من السلسلة وحدها. لا تحوي الصفحة أي برنامج ولا تحمّل شيئًا.
