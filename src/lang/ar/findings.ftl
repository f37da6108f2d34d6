# ما يكشفه التحقق، بحسب رمزه. المتغيرات هي العناصر التي يعطيها ‎--json.

finding-block-corrupt = بايتات الكتلة لا تطابق معرّفها CID.
finding-block-missing = الكتلة مفقودة.
finding-car-damaged = يتوقف الملف عن كونه ملف CARv1 عند البايت { $offset }: { $detail }
finding-car-block-corrupt = الكتلة عند البايت { $offset } ليست تلك التي يسميها معرّفها.
finding-malformed = عنصر غير سليم ({ $what }): { $detail }
finding-seq-gap = يقول البيان إنه القيد { $found } وهو في موضع القيد { $expected }.
finding-link-differs = قيمة «{ $member }» هي { $found } وليست { $expected }.
finding-statement-differs = «{ $member }» في التصريح ليس ما في البيان.
finding-subjects-differ = مواضيع التصريح ليست ملفات البيان: { $detail }
finding-duplicate-event = الحدث { $id } مؤرشف مرتين.
finding-bad-signature = توقيع المفتاح { $keyid } ليس على هذا المحتوى.
finding-threshold = التوقيعات الصحيحة بدور «{ $role }»: { $counted } من { $needed }؛ بمفاتيح ملغاة: { $revoked }، وبمفاتيح مجهولة: { $unknown }.
finding-compromised = وقّعه المفتاح { $keyid } المسروق منذ القيد { $since } كما يقول القيد { $entry }، ومن دونه لا يكفي عدد المفاتيح.
finding-approver-compromised = وافق عليه المفتاح { $keyid } المسروق منذ القيد { $since } كما يقول القيد { $entry }، ومن دونه لا يكفي عدد الموافقين.
finding-no-trust = لا توجد وثيقة ثقة سارية، فلا يُعتد بأي توقيع.
finding-trust-version = إصدار وثيقة الثقة هو { $found } وليس { $expected }.
finding-event-order = حدث «{ $event }» عند القيد { $seq }: تبدأ السلسلة بحدث «genesis» ولا يتكرر فيها.
finding-file-digest = ‏{ $name } لا يطابق بصمته: { $found } وليس { $expected }.
finding-file-size = حجم { $name } بالبايت هو { $found } وليس { $expected }.
finding-file-layout = ‏{ $name } مقسّم إلى كتل غير التي يحددها النمط.
finding-sealing = ‏{ $name }: { $detail }
finding-sealed-lost = ‏{ $name } مختوم، وقد اختفى مفتاحه ولا شيء يقول إنه مُحي.
finding-sealed-key-damaged = ‏{ $name } مختوم، ومفتاحه لا يُقرأ: الخزنة متضررة.
finding-erased-but-opens = ‏{ $name } ممحو كما تقول السلسلة، ومع ذلك يفتحه مفتاح.
finding-sealed-tampered = ‏{ $name } ليس ما خُتم: { $detail }
finding-applied-twice = الإصدار { $version } طُبّق مرة أخرى وهو مطبّق.
finding-not-applied = الإصدار { $version } تُراجع عنه وهو غير مطبّق.
finding-approvals-missing = الموافقات المعتد بها: { $counted } من { $needed }. { $refused }
finding-plan-differs = الخطة ليست كما يصفها السجل: { $detail }
finding-unplanned = نُفّذ الإصدار { $version } بلا خطة؛ الموافقات التي تطلبها وثيقة الثقة: { $needed }.
finding-not-as-planned = يُقال إن الإصدار { $version } نُفّذ وفق الخطة { $plan }: { $detail }
finding-promotion-differs = يُقال إن الإصدار { $version } رُقّي من { $from }: { $detail }
finding-outcome-differs = حدث «{ $event }» يقول: { $outcome }
finding-schema-changed = تغيّر المخطط خارج الأرشيف: كان { $expected } وصار { $found }.
finding-ends-before-start = ينتهي في { $finishedAt } قبل أن يبدأ في { $startedAt }.
finding-time-backwards = يرجع الزمن إلى الوراء: { $found } بعد { $earlier }.
finding-head-differs = «{ $member }» في الرأس ليس ما تنتجه البيانات: { $found } وليس { $expected }.
finding-tile-surplus = في الشجرة { $path }، ولا يوجد في شجرة بهذا الحجم.
finding-tile-missing = ينقص الشجرةَ { $path }.
finding-tile-differs = ‏{ $path } ليس ما تنتجه البيانات.
finding-checkpoint-differs = قيمة «{ $member }» في نقطة التحقق هي { $found } وليست { $expected }.
finding-checkpoint-unsigned = لم يوقّع نقطةَ التحقق أي مفتاح يحق له توقيع القيود.
finding-not-included = لم يثبت وجوده في شجرة نقطة التحقق: { $reason }
finding-evidence-differs = ‏{ $what } ليس ما في القيد: { $detail }
finding-entries-shape = شجرة القيود: { $detail }
finding-not-anchored = السلسلة هي { $chain }، وليست مما قيل لهذا المدقق أن يثق به.
finding-rolled-back = مُقتطعة: سبق التحقق من رأس لهذه السلسلة بقيود أكثر ({ $seen } لا { $found })، وهو { $newest }.
finding-forked = متفرعة: القيد { $entry } ليس الذي سبق التحقق منه، { $expected }.
finding-tree-forked = متفرعة: شجرة القيود الأولى ({ $entries }) ليست التي سبق التحقق منها، { $expected }.
finding-policy-malformed = لا يمكن قراءة سياسة الشهود { $whose ->
    [trust-document] في وثيقة الثقة
   *[verifier] لدى المدقق
}: { $detail }
finding-cosignature-invalid = توقيع الشاهد { $witness } ({ $vkey }) ليس على نقطة التحقق هذه.
finding-quorum-unmet = لم يوقّع نقطةَ التحقق عدد كافٍ من الشهود بحسب سياسة { $whose ->
    [trust-document] وثيقة الثقة
   *[verifier] المدقق
}. وقّع: { $cosigned }. لم يوقّع: { $missing }.
finding-replay = لا يمكن إعادة تنفيذ النصوص البرمجية حتى المخطط الموقّع: { $reason }
finding-hook-verdict-differs = الخطّاف «{ $hook }» لا يجيب بما يقول القيد إنه أجاب به: { $detail }
finding-policy-verdict-differs = حزم القواعد لا تقول ما يقول القيد إنها قالته: { $detail }
finding-live-schema = مخطط قاعدة البيانات هو { $found }، وآخر مخطط موقّع هو { $expected }.
finding-timestamp = رمز الختم الزمني { $token } لا يثبت شيئًا: { $reason ->
    [other-bytes] هو على بايتات غير توقيع نقطة التحقق
    [other-request] هو جواب عن طلب آخر
    [other-content] ما تقوله السلطة ليس ما وُقّع
    [no-certificate] شهادة الموقّع ليست فيه
    [purpose] شهادته ليست مقصورة على الختم الزمني
    [signature] توقيعه ليس بشهادته
    [window] إحدى الشهادات لم تكن سارية في وقته
    [other-authority] لا تشهد له أي سلطة في وثيقة الثقة
    [early] وقته قبل نهاية آخر قيد
   *[malformed] ليس كما تصفه RFC 3161
}.
finding-timestamps-too-many = في الرأس رموز ختم زمني أكثر مما يُفحص: { $count }.
